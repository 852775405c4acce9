using Ztunnel.Dns.Messages;
using Ztunnel.Mesh.Model;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Dns.Telemetry;

/// <summary>The metric labels of one pod's queries, made when a type first occurs. One loop's own.</summary>
internal sealed class QueryLabels(Workload? workload)
{
    private readonly Dictionary<string, DnsLabels>[] _byProtocol = [new(StringComparer.Ordinal), new(StringComparer.Ordinal)];
    private DnsLabels? _addressOverUdp;

    public DnsLabels Find(ushort type, bool isStream) =>
        type == RecordType.A && !isStream ? _addressOverUdp ??= Make(type, isStream) : FindAny(type, isStream);

    private DnsLabels FindAny(ushort type, bool isStream)
    {
        Dictionary<string, DnsLabels> known = _byProtocol[isStream ? 1 : 0];
        string name = RecordType.Name(type);
        if (!known.TryGetValue(name, out DnsLabels? labels))
            known[name] = labels = Make(type, isStream);
        return labels;
    }

    private DnsLabels Make(ushort type, bool isStream) => new(RecordType.Label(type), isStream ? "tcp" : "udp", workload?.CanonicalName, workload?.CanonicalRevision);
}
