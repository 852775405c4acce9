using System.Globalization;
using System.Text.RegularExpressions;
using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Faults;

/// <summary>The proxy runs short of what it lives on (tests/faults.md). Descriptors and an output that nobody reads are in <see cref="Dedicated.DedicatedTests"/>.</summary>
[Collection(FaultCollection.Name)]
public sealed class ResourceFaultTests(FaultMesh mesh)
{
    private const long MiB = 1024 * 1024;

    /// <summary>More connections than there is memory for: the open ones live, the others are refused at once, and it is all right again when the crowd has gone.</summary>
    [CgroupFact]
    public async Task Memory_NearTheLimitOfItsGroup_RefusesNewConnections_OpenOnesLive_Recovers()
    {
        using var group = TestCgroup.Create();
        try
        {
            // At 60 % there is room for what arrives between two looks, on a machine that runs a dozen other things.
            TestProcess server = await mesh.StartAsync(mesh.Victim, group.Enter, ("ZTUNNEL_MEMORY_REFUSE_PERCENT", "60"));
            using TestProcess open = await mesh.OpenAsync("hold", mesh.Victim, 8080, "connected");
            await AnswersAsync(open, "one");
            long limit = group.UsedBytes + 48 * MiB;
            group.Limit(limit);
            // It was not started with that limit, as it would be in a cluster: it finds it within a second.
            await UntilAsync(async () => SampleOf(await ScrapeAsync(mesh.Victim), "ztunnel_memory_limit_bytes") <= limit);

            using (TestProcess crowd = mesh.Outsider.Start("crowd", mesh.Victim.Address, 8086, "8000"))
            {
                await crowd.WaitForLineAsync(static line => line == "connected", FaultMesh.SilenceLimit);
                await server.WaitForLineAsync(static line => line.Contains("memory is short: new connections are refused", StringComparison.Ordinal), FaultMesh.SilenceLimit);

                // New ones, on an open tunnel and in plain text, are refused at once; the open one does not notice.
                Assert.Equal("reset", await mesh.AskAsync(mesh.Victim));
                Assert.Equal("reset", await mesh.Outsider.RunAsync("ask", mesh.Victim.Address, 8080, "hello"));
                await AnswersAsync(open, "two");
                string scrape = await ScrapeAsync(mesh.Victim);
                Assert.Equal(1, SampleOf(scrape, "ztunnel_memory_short"));
                Assert.True(TestNode.SumOf(scrape, "ztunnel_connections_ended_total", "reporter=\"destination\"", "reason=\"memory_short\"", "fault=\"proxy\"") >= 2);
            }

            await server.WaitForLineAsync(static line => line.Contains("memory suffices again", StringComparison.Ordinal), FaultMesh.SilenceLimit);
            Assert.Equal("answer hellohello", await mesh.AskAsync(mesh.Victim));
            await AnswersAsync(open, "three");
            Assert.False(server.HasExited);
            Assert.InRange(server.Output.Split('\n').Count(static line => line.Contains("memory is short", StringComparison.Ordinal)), 1, 60);
        }
        finally
        {
            mesh.Stop(mesh.Victim);
            await mesh.StartAsync(mesh.Victim);
        }
    }

    /// <summary>Without a control group: a limit of our own, that the process is above from the start. It is ready, it says why it serves nobody, and does not fill the log.</summary>
    [NamespaceFact]
    public async Task Memory_AboveItsOwnLimit_RefusesAndSaysWhy()
    {
        try
        {
            TestProcess server = await mesh.StartAsync(mesh.Victim, null, ("ZTUNNEL_MEMORY_LIMIT", MiB.ToString(CultureInfo.InvariantCulture)));

            Assert.Equal("reset", await mesh.Outsider.RunAsync("ask", mesh.Victim.Address, 8080, "hello"));
            Assert.Equal("reset", await mesh.AskAsync(mesh.Victim));

            string line = await server.WaitForLineAsync(static line => line.Contains("memory is short", StringComparison.Ordinal));
            Assert.Contains("limit_bytes=1048576", line, StringComparison.Ordinal);
        }
        finally
        {
            await mesh.StartAsync(mesh.Victim);
        }
    }

    /// <summary>The log goes to a disk that is full: nothing but lines is lost, and how many is said as soon as there is room.</summary>
    [NamespaceFact]
    public async Task LogDisk_Full_TrafficGoesOn_LossIsToldWhenThereIsRoom()
    {
        string disk = Directory.CreateDirectory(Path.Combine(mesh.Folder, "disk")).FullName;
        string log = Path.Combine(disk, "log"), ballast = Path.Combine(disk, "ballast");
        TestCommand.Run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk).EnsureSucceeded();
        try
        {
            File.WriteAllBytes(ballast, new byte[224 * 1024]);
            mesh.Start(mesh.Victim, ["sh", "-c", $"exec \"$@\" >> {log}", "sh"]);
            await UntilAsync(async () => (await Task.Run(() => mesh.Victim.Namespace.TryRun("curl", "-sSf", "--max-time", "5", "http://127.0.0.1:15021/healthz/ready"))).Succeeded);

            // About half a kilobyte each: the disk is full after some fifty.
            Assert.Equal("1000 ok", await mesh.Client.RunAsync("parallel", mesh.Victim.Address, 8080, "1000", TimeSpan.FromSeconds(60)));
            Assert.Equal("answer hellohello", await mesh.AskAsync(mesh.Victim));
            Assert.True(SampleOf(await ScrapeAsync(mesh.Victim), "ztunnel_log_lines_dropped_total") > 0);

            File.Delete(ballast);
            await UntilAsync(async () => await mesh.AskAsync(mesh.Victim) == "answer hellohello" && (await File.ReadAllTextAsync(log)).Contains("log lines were dropped because the output did not take them\tdropped=", StringComparison.Ordinal));
        }
        finally
        {
            mesh.Stop(mesh.Victim);
            TestCommand.Run("umount", disk).EnsureSucceeded();
            await mesh.StartAsync(mesh.Victim);
        }
    }

    private static Task<string> ScrapeAsync(TestPod pod) => Task.Run(() => pod.Namespace.Run("curl", "-sS", "--max-time", "5", "http://127.0.0.1:15020/metrics"));

    /// <summary>The one sample of a family without labels.</summary>
    private static double SampleOf(string scrape, string family) => double.Parse(Sample(family).Match(scrape).Groups[1].Value, CultureInfo.InvariantCulture);

    private static Regex Sample(string family) => new($"^{family} (\\S+)$", RegexOptions.Multiline);

    private static async Task AnswersAsync(TestProcess connection, string text)
    {
        connection.SendLine(text);
        await connection.WaitForLineAsync(line => line == $"answer {text}{text}");
    }

    private static async Task UntilAsync(Func<Task<bool>> holds)
    {
        using var limit = new CancellationTokenSource(FaultMesh.SilenceLimit);
        while (!await holds())
            limit.Token.ThrowIfCancellationRequested();
    }
}
