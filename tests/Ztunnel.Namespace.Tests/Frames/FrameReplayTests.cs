using Ztunnel.Namespace.Tests.Observability;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Frames;

/// <summary>
/// The HBONE frames that were recorded with the existing program, sent to the native binary from the other side: what its client sent to our port 15008, what a server sent to its client to ours. Frames, headers and their
/// order, statuses, resets, log lines: all are the same but for <see cref="IntendedFrameDifferences"/>.
/// </summary>
[Collection(RecordedCollection.Name)]
public sealed class FrameReplayTests(RecordedNetwork network)
{
    private static readonly TimeSpan RunLimit = TimeSpan.FromSeconds(60);

    [NamespaceTheory]
    [InlineData("server-role.requests.txt")]
    [InlineData("server-role.bad-requests.txt")]
    public async Task ServerRole_AnswersAsRecorded(string file)
    {
        await network.StartProxiesAsync(json: false);
        ReplayedCase[] cases = await ReplayToServerAsync(file);

        Assert.True(cases.Length >= 15, $"{cases.Length} cases in {file}");
        Assert.All(cases, static each => Assert.Equal(IntendedFrameDifferences.ServerSettings, each.Settings));
        AssertFrames(cases, static each => each.Actual);
        LogFields[] recorded = [.. File.ReadLines(Recording(file)).Where(LogFields.IsAccess).Select(LogFields.Read).Select(IntendedFrameDifferences.ServerLine)];
        await AssertLinesAsync("b", recorded, "src.addr=10.88.0.3:");
    }

    /// <summary>ENABLE_RESPONSE_BAGGAGE=false: the same answers without the header.</summary>
    [NamespaceFact]
    public async Task ServerRole_ResponseBaggageOff_AnswersTheSameWithoutIt()
    {
        await network.StartProxiesAsync(json: false, ("ENABLE_RESPONSE_BAGGAGE", "false"));

        ReplayedCase[] cases = await ReplayToServerAsync("server-role.requests.txt");

        Assert.All(cases, static each => Assert.Equal(IntendedFrameDifferences.Frames(each)[0].Split("|baggage=")[0], each.Actual[0]));
    }

    [NamespaceFact]
    public async Task ClientRole_DoesAsRecorded()
    {
        // Tunnels are pooled by loop: with one loop it is known which one a connection takes.
        await network.StartProxiesAsync(json: false, ("ZTUNNEL_WORKER_THREADS", "1"));
        (string certificate, string roots, _) = network.Certify("c");
        string recording = Recording("client-role.txt");
        using TestProcess peer = network.Pod("c").Start("/usr/bin/python3", Program, "server", recording, "10.88.0.3", certificate, roots);
        await peer.WaitForLineAsync(static line => line == "ready");
        List<ReplayedCase> cases = [];
        List<string> wrong = [];
        foreach (RecordedApplication application in RecordedApplication.Read(recording))
        {
            peer.SendLine(application.Case);
            await WaitForCountAsync(peer, "case", cases.Count + 1);
            string[] seen = await network.RunClientAsync("a", application.Command);
            peer.SendLine("");
            cases.Add(ReplayedCase.Parse(await WaitForCountAsync(peer, "{", cases.Count + 1)));
            string expected = IntendedFrameDifferences.Transcript(application);
            if (expected != application.Normalize(seen))
                wrong.Add($"{application.Case}: the application saw {application.Normalize(seen)} rather than {expected}");
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.All(cases, static each => Assert.Equal(IntendedFrameDifferences.ClientSettings, each.Settings));
        AssertFrames(cases, static each => each.Actual);
        Assert.Equal(
            cases.Select(static each => $"{each.Case}: {IntendedFrameDifferences.NewTunnel(each)}"), cases.Select(static each => $"{each.Case}: {each.NewTunnel}"));
    }

    private async Task<ReplayedCase[]> ReplayToServerAsync(string file)
    {
        (string certificate, string roots, _) = network.Certify("a");
        string[] command = ["netns", "exec", network.Pod("c").Name, "/usr/bin/python3", Program, "client", Recording(file), "10.88.0.2", certificate, roots];
        CommandResult run = await Task.Run(() => TestCommand.Run(RunLimit, "ip", command));
        return [.. run.EnsureSucceeded().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(ReplayedCase.Parse)];
    }

    private static string Recording(string file) => Path.Combine(AppContext.BaseDirectory, "Frames", "Reference", file);

    private static string Program => Path.Combine(AppContext.BaseDirectory, "Programs", "replay.py");

    private static void AssertFrames(IEnumerable<ReplayedCase> cases, Func<ReplayedCase, string[]> actual)
    {
        string[] wrong = [.. cases
            .Select(each => (each.Case, Expected: ReplayedCase.Describe(IntendedFrameDifferences.Frames(each)), Actual: ReplayedCase.Describe(actual(each))))
            .Where(static each => each.Expected != each.Actual)
            .Select(static each => $"{each.Case}\n  recorded {each.Expected}\n  ours     {each.Actual}")];
        Assert.True(wrong.Length == 0, string.Join('\n', wrong));
    }

    private async Task AssertLinesAsync(string pod, LogFields[] recorded, string mark)
    {
        TestProcess proxy = network.Proxy(pod);
        await WaitForCountAsync(proxy, line => LogFields.IsAccess(line) && line.Contains(mark, StringComparison.Ordinal), recorded.Length);
        List<string> actual = [.. proxy.Output.Split('\n').Where(line => LogFields.IsAccess(line) && line.Contains(mark, StringComparison.Ordinal)).Select(static line => LogFields.Read(line).WithoutOurs().ToString())];
        // Each line of ours answers for one recorded line: what is left over on either side is wrong.
        IEnumerable<string> missing = [.. recorded.Select(static line => line.ToString()).Where(line => !actual.Remove(line)).Select(static line => "  recorded " + line)];
        string[] wrong = [.. missing, .. actual.Select(static line => "  ours     " + line)];
        Assert.True(wrong.Length == 0, string.Join('\n', wrong));
    }

    private static Task<string> WaitForCountAsync(TestProcess process, string start, int count) => WaitForCountAsync(process, line => line.StartsWith(start, StringComparison.Ordinal), count);

    /// <summary>The line that is the <paramref name="count"/>th of its kind.</summary>
    private static Task<string> WaitForCountAsync(TestProcess process, Func<string, bool> isOfTheKind, int count)
    {
        int seen = 0;
        return process.WaitForLineAsync(line => isOfTheKind(line) && ++seen == count);
    }
}
