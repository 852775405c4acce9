using System.Runtime.CompilerServices;
using System.Text.Json;
using Ztunnel.InPod.Pods;
using Ztunnel.Proxy.Connections;
using Ztunnel.Serving;

namespace Ztunnel.Http.Dump;

/// <summary><c>workloadState</c>: the pods served in shared mode with their open connections (control-path 9.2, "PodState").</summary>
public sealed class PodSection(PodSupervisor pods, PodProxies proxies) : IDumpSection
{
    public string Key => "workloadState";

    public async IAsyncEnumerable<DumpPoint> WriteAsync(Utf8JsonWriter json, [EnumeratorCancellation] CancellationToken cancellation)
    {
        json.WriteStartObject(Key);
        foreach (PodStatus pod in pods.Pods)
        {
            IReadOnlyList<ConnectionEntry>? connections = await proxies.DescribeAsync(pod.Pod.Uid, cancellation).ConfigureAwait(false);
            Write(json, pod, pod.State == PodState.Up ? connections : null);
            yield return default;
        }

        json.WriteEndObject();
    }

    internal static void Write(Utf8JsonWriter json, PodStatus pod, IReadOnlyList<ConnectionEntry>? connections)
    {
        json.WriteStartObject(pod.Pod.Uid);
        if (connections is not null)
        {
            json.WriteStartObject("connections");
            WriteList(json, "inbound", connections.Where(static entry => entry.IsInbound));
            WriteList(json, "outbound", connections.Where(static entry => !entry.IsInbound));
            json.WriteEndObject();
        }

        // Ours: why a pod is pending.
        if (pod.Failure is { } failure)
            json.WriteString("failure", failure);
        json.WriteStartObject("info");
        json.WriteString("name", pod.Pod.Name);
        json.WriteString("namespace", pod.Pod.Namespace);
        json.WriteString("serviceAccount", pod.Pod.ServiceAccount);
        json.WriteEndObject();
        json.WriteString("state", pod.State.ToString());
        json.WriteEndObject();
    }

    private static void WriteList(Utf8JsonWriter json, string name, IEnumerable<ConnectionEntry> entries)
    {
        json.WriteStartArray(name);
        foreach (ConnectionEntry entry in entries)
        {
            json.WriteStartObject();
            json.WriteString("actualDst", entry.ActualDestination.ToString());
            json.WriteString("originalDst", entry.OriginalDestination);
            json.WriteString("protocol", entry.Protocol);
            json.WriteString("src", entry.Source.ToString());
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
