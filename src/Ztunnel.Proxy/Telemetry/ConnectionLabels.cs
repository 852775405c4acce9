using System.Runtime.CompilerServices;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Propagation;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy.Telemetry;

/// <summary>Turns mesh records into metric labels; those of one record are made once and live as long as the record does.</summary>
internal static class ConnectionLabels
{
    private static readonly ConditionalWeakTable<Workload, WorkloadLabels> Workloads = [];
    private static readonly ConditionalWeakTable<Service, ServiceLabels> Services = [];

    public static WorkloadLabels? Of(Workload? workload) => workload is null ? null : Workloads.GetValue(workload, static record => WorkloadLabels.FromRecord(
        record.WorkloadName, record.CanonicalName, record.CanonicalRevision, record.Namespace, record.ClusterId, record.Locality.Region, record.Locality.Zone));

    /// <summary>Labels from what a peer says of itself: a claim without a bound, see <see cref="ClaimedLabels"/>.</summary>
    public static WorkloadLabels Of(Baggage baggage) => WorkloadLabels.FromBaggage(
        baggage.WorkloadName, baggage.CanonicalName, baggage.CanonicalRevision, baggage.Namespace, baggage.ClusterId, baggage.Region, baggage.Zone);

    public static ServiceLabels? Of(Service? service) => service is null ? null : Services.GetValue(service, static record =>
        new ServiceLabels(record.Hostname, record.Namespace, record.Name));
}
