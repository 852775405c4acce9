using Ztunnel.LoadBench.Topology;

namespace Ztunnel.LoadBench.Subjects;

/// <summary>A pair of plain relays (<see cref="Load.PlainRelay"/>): the floor under every pair of proxies.</summary>
internal sealed class RelaySubject() : Subject("relay")
{
    public override bool IsEncrypted => false;

    public override int MostIdleConnections => 50_000;

    public override Task<ProxyPair> StartAsync(SubjectContext context)
    {
        BackgroundProcess client = context.Start(context.Bed.Client, "client.log", NoEnvironment,
            context.Binaries.Bench, "relay", "--listen", $"0.0.0.0:{Testbed.CapturePort}", "--connect", $"{Testbed.ServerAddress}:{Testbed.WirePort}");
        BackgroundProcess server = context.Start(context.Bed.Server, "server.log", NoEnvironment,
            context.Binaries.Bench, "relay", "--listen", $"0.0.0.0:{Testbed.WirePort}", "--connect", $"{Testbed.ServerAddress}:{Testbed.ApplicationPort}");
        return Task.FromResult(new ProxyPair(client, server));
    }

    public override Task<string> DescribeAsync(UserLand land, BinaryPaths binaries) => Task.FromResult("plain relay of this program, one thread, 256 KiB reads");
}
