using System.Text.Json;
using Ztunnel.Namespace.Tests.Observability;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Hostile;

/// <summary>
/// The native binary against peers with good certificates that attack HTTP/2, in both roles: the tunnel ends with ENHANCE_YOUR_CALM after a counted number of frames, the others go on. Every attack by itself, and what it
/// may keep, is in Ztunnel.Http2.Tests; here it is that the limits hold through sockets and TLS, and that the transport is closed.
/// </summary>
[Collection(RecordedCollection.Name)]
public sealed class TunnelAbuseTests(RecordedNetwork network)
{
    private const string Calm = "ENHANCE_YOUR_CALM";

    // The most generous allowance is 10,000 window updates; what was on its way when we hung up comes on top.
    private const int MostFrames = 40_000;

    private static readonly string[] AttacksOnClients = ["pings", "settings", "data without a byte", "data of padding", "window updates", "priorities", "unknown frames", "goaways", "answer that is none"];

    [NamespaceFact]
    public async Task Attack_OnTheServer_EndsItsOwnTunnelOnly()
    {
        await network.StartProxiesAsync(json: false);
        (string certificate, string roots, _) = network.Certify("a");
        string[] command = ["netns", "exec", network.Pod("c").Name, "/usr/bin/python3", Program, "client", "10.88.0.2", certificate, roots];

        CommandResult run = await Task.Run(() => TestCommand.Run(TimeSpan.FromSeconds(120), "ip", command));

        Outcome[] outcomes = [.. run.EnsureSucceeded().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Outcome.Parse)];
        Assert.Equal(12, outcomes.Length);
        Assert.All(outcomes, static outcome => Assert.True(outcome is { GoAway: Calm, Closed: true, Honest: true, Frames: < MostFrames }, outcome.ToString()));
    }

    [NamespaceFact]
    public async Task Attack_OnTheClient_EndsItsOwnTunnelOnly()
    {
        await network.StartProxiesAsync(json: false, ("ZTUNNEL_WORKER_THREADS", "1"));
        (string certificate, string roots, _) = network.Certify("c");
        using TestProcess peer = network.Pod("c").Start("/usr/bin/python3", Program, "server", "10.88.0.3", certificate, roots);
        await peer.WaitForLineAsync(static line => line == "ready");
        int told = 0;
        int turns = 0;
        foreach (string attack in AttacksOnClients)
        {
            await SayAsync(attack);
            string[] attacked = await network.RunClientAsync("a", ["10.88.0.3", "7000", "hello"]);
            Outcome outcome = Outcome.Parse(await WaitForAsync(peer, static line => line.StartsWith('{'), ++told));

            Assert.True(outcome is { GoAway: Calm, Closed: true, Frames: < MostFrames }, outcome.ToString());
            Assert.DoesNotContain(attacked, static line => line.StartsWith("recv b'h", StringComparison.Ordinal));

            // The next connection takes a tunnel of its own, and a server that behaves.
            await SayAsync("");
            Assert.Contains("recv b'honest'", await network.RunClientAsync("a", ["10.88.0.3", "7000", "hello"]));
        }

        async Task SayAsync(string attack)
        {
            peer.SendLine(attack);
            await WaitForAsync(peer, static line => line == "attack", ++turns);
        }
    }

    private static string Program => Path.Combine(AppContext.BaseDirectory, "Programs", "abuse.py");

    private static Task<string> WaitForAsync(TestProcess process, Func<string, bool> isOfTheKind, int count)
    {
        int seen = 0;
        return process.WaitForLineAsync(line => isOfTheKind(line) && ++seen == count, TimeSpan.FromSeconds(40));
    }

    /// <summary>One line of the attacker.</summary>
    private sealed record Outcome(string Attack, string? GoAway, bool Closed, int Frames, bool Honest)
    {
        public static Outcome Parse(string line)
        {
            using var json = JsonDocument.Parse(line);
            JsonElement root = json.RootElement;
            return new Outcome(
                root.GetProperty("attack").GetString()!, root.GetProperty("goaway").GetString(), root.GetProperty("closed").GetBoolean(), root.GetProperty("frames").GetInt32(), root.GetProperty("honest").GetBoolean());
        }
    }
}
