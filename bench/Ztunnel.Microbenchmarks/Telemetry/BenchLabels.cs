using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Microbenchmarks.Telemetry;

/// <summary>Labels as a connection between two deployments has them; new instances each time, as for each connection.</summary>
internal static class BenchLabels
{
    public static TrafficLabels Create() => new(
        Reporter.Source, Workload("client"), "spiffe://cluster.local/ns/default/sa/client", Workload("server"), "spiffe://cluster.local/ns/default/sa/server",
        new ServiceLabels("echo.default.svc.cluster.local", "default", "echo"), mutualTls: true);

    private static WorkloadLabels Workload(string name) => WorkloadLabels.FromRecord(name, name, "v1", "default", "Kubernetes", "r1", "z1");
}
