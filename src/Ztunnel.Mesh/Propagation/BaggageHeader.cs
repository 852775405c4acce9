using System.Runtime.CompilerServices;
using System.Text;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.Propagation;

/// <summary>Writes the <c>baggage</c> header of a workload: once for each record, since every connection sends it.</summary>
public static class BaggageHeader
{
    private static readonly ConditionalWeakTable<Workload, string> Known = [];

    /// <summary>Pairs in a fixed order, those without a value left out; empty for a workload that has none of them, and sent all the same.</summary>
    public static string For(Workload workload) => Known.TryGetValue(workload, out string? known) ? known : Known.GetValue(workload, Build);

    private static string Build(Workload workload)
    {
        var text = new StringBuilder();
        Append(text, "k8s.cluster.name", workload.ClusterId);
        Append(text, "k8s.namespace.name", workload.Namespace);
        // A workload without a type is a deployment, as on the wire.
        string type = workload.WorkloadType.Length == 0 ? "deployment" : workload.WorkloadType.ToLowerInvariant();
        Append(text, $"k8s.{type}.name", workload.WorkloadName);
        Append(text, "service.name", workload.CanonicalName);
        Append(text, "service.version", workload.CanonicalRevision);
        Append(text, "cloud.region", workload.Locality.Region);
        Append(text, "cloud.availability_zone", workload.Locality.Zone);
        return text.ToString();
    }

    private static void Append(StringBuilder text, string key, string value)
    {
        if (value.Length == 0) return;
        if (text.Length > 0) text.Append(',');
        text.Append(key).Append('=').Append(value);
    }
}
