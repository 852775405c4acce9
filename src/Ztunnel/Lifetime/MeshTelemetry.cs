using Ztunnel.Mesh.State;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Lifetime;

/// <summary>What the present snapshot of the mesh holds, whatever source it came from (control-path 10.2).</summary>
internal static class MeshTelemetry
{
    private static readonly TimeSpan[] PublishBounds = [.. ((double[])[0.0001, 0.001, 0.01, 0.1, 1]).Select(TimeSpan.FromSeconds)];

    public static void AddTo(MetricRegistry metrics, IMeshStore mesh)
    {
        metrics.AddCallback(MetricGroup.Ztunnel, MetricKind.Gauge, "ztunnel_mesh_resources", "Resources in the present state of the mesh (unstable)", ["type"], sink =>
        {
            MeshSnapshot snapshot = mesh.Current;
            sink.Report(snapshot.WorkloadCount, "workload");
            sink.Report(snapshot.ServiceCount, "service");
            sink.Report(snapshot.PolicyCount, "policy");
        });
        metrics.AddCallback(
            MetricGroup.Ztunnel, MetricKind.Counter, "ztunnel_mesh_changes", "States of the mesh that were published, one for each change (unstable)", [], sink => sink.Report(mesh.Current.Generation));
        Histogram published = metrics.AddHistogram(
            MetricGroup.Ztunnel, "ztunnel_mesh_publish_duration_seconds", "Time that making a new state of the mesh took, for each that was published (unstable)", PublishBounds);
        mesh.Changed += change => published.Observe(change.Duration);
    }
}
