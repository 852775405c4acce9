using System.Runtime.InteropServices;
using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Faults;

/// <summary>The wall clock of the nodes is set (tests/faults.md): timers do not notice, certificates that this makes worthless are replaced before anybody does. Clocks are faked by Debian's libfaketime.</summary>
[Collection(FaultCollection.Name)]
public sealed class ClockFaultTests(FaultMesh mesh)
{
    [NamespaceFact]
    public async Task Clock_SetForwardsAndBack_OpenAndNewConnectionsAreServed()
    {
        string clock = Path.Combine(mesh.Folder, "clock");
        Set(clock, "+0");
        (string, string)[] faked =
        [
            ("LD_PRELOAD", $"/usr/lib/{(RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "aarch64" : "x86_64")}-linux-gnu/faketime/libfaketime.so.1"),
            ("FAKETIME_TIMESTAMP_FILE", clock), ("FAKETIME_NO_CACHE", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1"), ("DONT_FAKE_MONOTONIC", "1"),
        ];
        (TestPod one, TestPod other) = (mesh.Well, mesh.Victim);
        try
        {
            TestProcess proxy = await mesh.StartAsync(one, null, faked);
            await mesh.StartAsync(other, null, faked);
            using TestProcess open = one.Start("hold", other.Address, 8080);
            await AnswersAsync(open, "before");

            // Certificates live a day: all are worthless at once, and their renewal was due in eleven hours.
            Set(clock, "+25h");
            await AnswersAsync(open, "forwards");
            Assert.Equal("answer hellohello", await one.RunAsync("ask", other.Address, 8080, "hello"));
            // The other way there is no tunnel yet: both sides have to prove who they are.
            Assert.Equal("answer hellohello", await other.RunAsync("ask", one.Address, 8080, "hello"));
            string line = await proxy.WaitForLineAsync(line => line.Contains("direction=\"inbound\"", StringComparison.Ordinal) && line.Contains($"src.addr={other.Address}:", StringComparison.Ordinal));
            Assert.StartsWith((DateTimeOffset.UtcNow + TimeSpan.FromHours(25)).ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture), line, StringComparison.Ordinal);

            // Back by a day: the new ones are not valid yet.
            Set(clock, "+1h");
            await AnswersAsync(open, "back");
            Assert.Equal("answer hellohello", await one.RunAsync("ask", other.Address, 8080, "hello"));
            mesh.Stop(other);
            await mesh.StartAsync(other, null, faked);
            Assert.Equal("answer hellohello", await one.RunAsync("ask", other.Address, 8080, "hello"));
            Assert.Equal("answer hellohello", await other.RunAsync("ask", one.Address, 8080, "hello"));
        }
        finally
        {
            await mesh.StartAsync(one);
            await mesh.StartAsync(other);
        }
    }

    private static void Set(string clock, string offset)
    {
        File.WriteAllText(clock + ".new", offset + "\n");
        File.Move(clock + ".new", clock, overwrite: true);
    }

    private static async Task AnswersAsync(TestProcess connection, string text)
    {
        connection.SendLine(text);
        await connection.WaitForLineAsync(line => line == $"answer {text}{text}");
    }
}
