using System.Globalization;
using System.Text;
using Ztunnel.LoadBench.Load;
using Ztunnel.LoadBench.Topology;

namespace Ztunnel.LoadBench.Subjects;

/// <summary>
/// Two of our native binaries in dedicated mode, each beside its workload, with a mesh of two workloads from a file and certificates from the embedded authority.
/// The server workload has many addresses, so that "a destination without a tunnel" is one more address and not one more process.
/// Plain: the mesh says that the server does not speak HBONE. Bytes then pass both proxies as they are, outbound capture on one side, inbound plain-text capture on the other.
/// </summary>
internal sealed class ZtunnelSubject(string name, int workers, bool isPlain = false) : Subject(name)
{
    /// <summary>How many of the server pod's further addresses the mesh knows.</summary>
    public const int FreshAddressCount = 4096;

    public override bool IsEncrypted => !isPlain;

    public override bool IsMain => workers == 1 && !isPlain;

    public override int MostIdleConnections => 50_000;

    public override Task PrepareAsync(Testbed bed) => isPlain ? bed.CaptureInboundAsync() : Task.CompletedTask;

    public override Task<ProxyPair> StartAsync(SubjectContext context)
    {
        string mesh = context.Write("mesh.yaml", Mesh());
        return Task.FromResult(new ProxyPair(Start(context, context.Bed.Client, mesh, "client"), Start(context, context.Bed.Server, mesh, "server")));
    }

    public override async Task<string> DescribeAsync(UserLand land, BinaryPaths binaries)
    {
        if (binaries.Ztunnel is null || !File.Exists(binaries.Ztunnel))
        {
            throw new BenchException($"{Name}: {binaries.Ztunnel ?? "the native binary"} is missing; src/publish.sh makes it");
        }

        CommandResult version = await Command.TryRunAsync(TimeSpan.FromSeconds(10), binaries.Ztunnel, ["version"], CancellationToken.None);
        return $"{ShortVersion(version.Output)}, dedicated mode, {workers} worker{(workers == 1 ? "" : "s")}{(isPlain ? ", plain text" : "")}";
    }

    /// <summary>Of the line that `ztunnel version` prints, what tells builds apart.</summary>
    private static string ShortVersion(string line) =>
        string.Join(' ', line.Split('"').Where(static (_, index) => index % 2 == 1).Take(3));

    private BackgroundProcess Start(SubjectContext context, string networkNamespace, string mesh, string workload)
    {
        var environment = new Dictionary<string, string>
        {
            ["FAKE_CA"] = "true",
            ["ZTUNNEL_FAKE_CA_ROOT"] = Path.Combine(context.Folder, "authority.pem"),
            ["XDS_ADDRESS"] = "",
            ["LOCAL_XDS_PATH"] = mesh,
            ["PROXY_MODE"] = "dedicated",
            ["PROXY_WORKLOAD_INFO"] = $"bench/{workload}/{workload}",
            ["ZTUNNEL_WORKER_THREADS"] = workers.ToString(CultureInfo.InvariantCulture),
            // Peers do not take the client's address either, and the rules that bring such answers back are not installed here.
            ["ENABLE_ORIG_SRC"] = "false",
            ["IPV6_ENABLED"] = "false",
            ["PACKET_MARK"] = Testbed.ProxyMark.ToString(CultureInfo.InvariantCulture),
            // Peers write no access log.
            ["RUST_LOG"] = "warn",
            ["ISTIO_META_DNS_CAPTURE"] = "false",
        };
        return context.Start(networkNamespace, $"{workload}.log", environment, context.Binaries.Ztunnel!);
    }

    private string Mesh()
    {
        var fresh = new FreshAddresses(System.Net.IPAddress.Parse(Testbed.FreshFirst), FreshAddressCount, Testbed.ApplicationPort);
        var addresses = new StringBuilder(Testbed.ServerAddress);
        for (int index = 0; index < FreshAddressCount; index++)
        {
            addresses.Append(CultureInfo.InvariantCulture, $", {fresh.At(index)}");
        }

        return
            $$"""
            workloads:
            - {uid: "bench//Pod/bench/client", name: client, namespace: bench, trustDomain: cluster.local, serviceAccount: client, node: client, protocol: HBONE, services: {},
               workloadIps: [{{Testbed.ClientAddress}}]}
            - {uid: "bench//Pod/bench/server", name: server, namespace: bench, trustDomain: cluster.local, serviceAccount: server, node: server, protocol: {{(isPlain ? "TCP" : "HBONE")}}, services: {},
               workloadIps: [{{addresses}}]}

            """;
    }
}
