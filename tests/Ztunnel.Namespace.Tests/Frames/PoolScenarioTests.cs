using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Namespace.Tests.Observability;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Frames;

/// <summary>Which connections share a tunnel, how long one stays, and what its limits do (data-path 5.2, 10.3): counted at a foreign peer with two addresses.</summary>
[Collection(RecordedCollection.Name)]
public sealed class PoolScenarioTests(RecordedNetwork network)
{
    private const string Peer4 = "10.88.0.3";
    private const string Peer6 = "fd88::3";

    [NamespaceFact]
    public async Task Keys_Different_HaveTunnelsOfTheirOwn()
    {
        using TestProcess peer = await StartAsync();

        foreach (string address in (string[])[Peer4, Peer6, Peer4, Peer6])
            Assert.Equal("answer hello", await RunAsync("ask", address, "hello"));

        Assert.Equal([$"tunnel {Peer4} 1", $"tunnel {Peer6} 1"], await TunnelsAsync(peer, requests: 4));
    }

    /// <summary>Two streams a tunnel: four connections take two; when their streams have ended both serve again.</summary>
    [NamespaceFact]
    public async Task StreamLimit_FourStreamsOnTwoTunnels_ThenTheyReturnToUse()
    {
        using TestProcess peer = await StartAsync(("POOL_MAX_STREAMS_PER_CONNECTION", "2"));
        TestProcess[] first = await HoldAsync(4);
        Assert.Equal([$"tunnel {Peer4} 1", $"tunnel {Peer4} 2"], await TunnelsAsync(peer, requests: 4));

        foreach (TestProcess each in first)
            each.Dispose();
        await WaitForLinesAsync("connection complete", 4);
        TestProcess[] second = await HoldAsync(4);

        Assert.Equal([$"tunnel {Peer4} 1", $"tunnel {Peer4} 2"], await TunnelsAsync(peer, requests: 8));
        foreach (TestProcess each in second)
            each.Dispose();
    }

    /// <summary>A tunnel without streams is closed with GOAWAY(NO_ERROR); one that is older and has a stream is not.</summary>
    [NamespaceFact]
    public async Task Idle_TunnelWithoutStreams_IsClosedAfterItsTime_OneWithAStreamStays()
    {
        using TestProcess peer = await StartAsync(("POOL_UNUSED_RELEASE_TIMEOUT", "1s"));
        using TestProcess live = Start("reset", Peer6);
        await live.WaitForLineAsync(static line => line == "connected");
        await peer.WaitForLineAsync(static line => line.StartsWith($"request {Peer6} ", StringComparison.Ordinal));

        Assert.Equal("answer hello", await RunAsync("ask", Peer4, "hello"));
        await peer.WaitForLineAsync(static line => line == $"closed {Peer4} 1 0");

        Assert.DoesNotContain($"closed {Peer6}", peer.Output, StringComparison.Ordinal);
        Assert.Equal("answer hello", await RunAsync("ask", Peer6, "hello"));
        Assert.Equal([$"tunnel {Peer6} 1", $"tunnel {Peer4} 1"], await TunnelsAsync(peer, requests: 3));
    }

    [NamespaceFact]
    public async Task Many_OfSeveralPeersAtOnce_OneTunnelForEach()
    {
        using TestProcess peer = await StartAsync();

        string[] outcomes = await Task.WhenAll(((string[])[Peer4, Peer6]).Select(address => RunAsync("many", address, "80")));

        Assert.Equal(["80 ok", "80 ok"], outcomes);
        Assert.Equal([$"tunnel {Peer4} 1", $"tunnel {Peer6} 1"], (await TunnelsAsync(peer, requests: 160)).Order(StringComparer.Ordinal));
    }

    /// <summary>The peer's tunnels by the time it has seen so many requests; each request's line comes behind that of its tunnel.</summary>
    private static async Task<string[]> TunnelsAsync(TestProcess peer, int requests)
    {
        int seen = 0;
        await peer.WaitForLineAsync(line => line.StartsWith("request ", StringComparison.Ordinal) && ++seen == requests);
        return [.. peer.Output.Split('\n').Where(static line => line.StartsWith("tunnel ", StringComparison.Ordinal))];
    }

    private async Task<TestProcess> StartAsync(params (string Name, string Value)[] settings)
    {
        // Tunnels are pooled by loop: with one loop it is known which one a connection takes.
        await network.StartProxiesAsync(json: false, [("ZTUNNEL_WORKER_THREADS", "1"), .. settings]);
        (string certificate, string roots, _) = network.Certify("c");
        TestProcess peer = network.Pod("c").Start("/usr/bin/python3", TestPod.Program("peer.py"), certificate, certificate, roots, $"{Peer4}=echoes", $"{Peer6}=echoes");
        await peer.WaitForLineAsync(static line => line == "ready");
        return peer;
    }

    /// <summary>Connections that stay, one after the other, each answered.</summary>
    private async Task<TestProcess[]> HoldAsync(int count)
    {
        var held = new TestProcess[count];
        for (int index = 0; index < count; index++)
        {
            held[index] = Start("echo", Peer4);
            await held[index].WaitForLineAsync(static line => line == "open");
        }

        return held;
    }

    private TestProcess Start(string verb, string address) =>
        network.Pod("a").Start("/usr/bin/python3", TestPod.Program("client.py"), verb, address, "7000");

    private Task<string> RunAsync(string verb, string address, string argument) => Task.Run(() =>
        TestCommand.Run(TimeSpan.FromSeconds(60), "ip", "netns", "exec", network.Pod("a").Name, "/usr/bin/python3", TestPod.Program("client.py"), verb, address, "7000", argument)
            .EnsureSucceeded().Output.TrimEnd('\n'));

    private Task WaitForLinesAsync(string part, int count)
    {
        int seen = 0;
        return network.Proxy("a").WaitForLineAsync(line => line.Contains(part, StringComparison.Ordinal) && ++seen == count);
    }
}
