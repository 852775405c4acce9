using System.Collections;
using Ztunnel.Dns.Messages;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Dns.Telemetry;

/// <summary>The fields of one line of data-path 7.7, in their order. Their names have dots, which parameters of generated log methods cannot have.</summary>
internal sealed class QueryLogEntry(Workload? workload, ushort type, string domain, string result, int records) : IReadOnlyList<KeyValuePair<string, object?>>
{
    private const string Unknown = "unknown";

    public int Count => 6;

    public KeyValuePair<string, object?> this[int index] => index switch
    {
        0 => new("src.workload", workload?.Name ?? Unknown),
        1 => new("src.namespace", workload?.Namespace ?? Unknown),
        2 => new("query", RecordType.Name(type)),
        3 => new("domain", domain),
        4 => new("result", result),
        5 => new("endpoints", records),
        _ => throw new ArgumentOutOfRangeException(nameof(index)),
    };

    public IEnumerator<KeyValuePair<string, object?>> GetEnumerator()
    {
        for (int index = 0; index < Count; index++)
            yield return this[index];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
