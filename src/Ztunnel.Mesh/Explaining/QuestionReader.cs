using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;

namespace Ztunnel.Mesh.Explaining;

/// <summary>Reads a <see cref="ConnectionQuestion"/> as people write it: workloads as <c>namespace/name</c>, uid or address, destinations as those or as the hostname of a service, with a port.</summary>
public static class QuestionReader
{
    /// <param name="mesh">Where names are looked up.</param>
    /// <param name="network">This node's network, which plain addresses are in.</param>
    /// <param name="source">Null or empty: the only workload of this node.</param>
    /// <param name="destination"><c>10.0.0.1:80</c>, <c>[fd00::1]:80</c>, <c>echo.default.svc.cluster.local:80</c> or <c>default/echo-0:80</c>.</param>
    /// <param name="question">The question.</param>
    /// <param name="mistake">What cannot be read or found, and what would do.</param>
    public static bool TryRead(
        MeshSnapshot mesh, string network, string? source, string? destination, [NotNullWhen(true)] out ConnectionQuestion? question, out string? mistake)
    {
        question = null;
        if (FindSource(mesh, network, source, out mistake) is not { } workload) return false;
        if (workload.Addresses.Count == 0)
        {
            mistake = $"source: {workload.Uid} has no address";
            return false;
        }
        if (ReadDestination(mesh, network, workload, destination, out mistake) is not { } endPoint) return false;
        IPAddress address = workload.Addresses[0];
        for (int i = 1; i < workload.Addresses.Count && address.AddressFamily != endPoint.AddressFamily; i++) address = workload.Addresses[i];
        question = new ConnectionQuestion(workload, IPAddress.TryParse(source, out IPAddress? stated) ? Canonical.Address(stated) : address, endPoint);
        return true;
    }

    private static Workload? FindSource(MeshSnapshot mesh, string network, string? text, out string? mistake)
    {
        if (string.IsNullOrEmpty(text))
        {
            Workload[] local = [.. mesh.LocalWorkloads.Take(2)];
            mistake = local.Length == 1 ? null : "source: say which workload opens the connection; expected namespace/name, uid or address";
            return local.Length == 1 ? local[0] : null;
        }
        Workload? found = FindWorkload(mesh, network, text);
        mistake = found is null ? $"source: no workload is known as \"{text}\"; expected namespace/name, uid or address of one in the mesh" : null;
        return found;
    }

    private static Workload? FindWorkload(MeshSnapshot mesh, string network, string text)
    {
        if (IPAddress.TryParse(text, out IPAddress? address)) return mesh.FindWorkload(network, Canonical.Address(address));
        if (mesh.FindWorkloadByUid(text) is { } byUid) return byUid;
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        // A question of a person: going through all workloads is fine.
        return slash < 0 ? null : mesh.Workloads.FirstOrDefault(workload => workload.Namespace == text[..slash] && workload.NameSpan.SequenceEqual(text.AsSpan(slash + 1)));
    }

    private static IPEndPoint? ReadDestination(MeshSnapshot mesh, string network, Workload source, string? text, out string? mistake)
    {
        const string Expected = "expected address:port, hostname:port of a service, or namespace/name:port of a workload";
        mistake = null;
        int colon = text?.LastIndexOf(':') ?? -1;
        if (colon <= 0 || !ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort port) || port == 0)
        {
            mistake = $"destination: \"{text}\" has no port; {Expected}";
            return null;
        }
        string host = text![..colon];
        if (IPAddress.TryParse(host.Trim('[', ']'), out IPAddress? address)) return new IPEndPoint(Canonical.Address(address), port);
        if (mesh.FindServiceByHostname(host, source.Namespace) is { } service)
        {
            NetworkAddress? vip = service.Vips.FirstOrDefault(vip => vip.Network == source.Network);
            if (vip is not null) return new IPEndPoint(vip.Address, port);
            mistake = $"destination: service {service.Key} has no address in network \"{source.Network}\"; ask for one of its workloads by address";
            return null;
        }
        if (FindWorkload(mesh, network, host) is { Addresses.Count: > 0 } workload) return new IPEndPoint(workload.Addresses[0], port);
        mistake = $"destination: neither a service visible to {source.Namespace} nor a workload is known as \"{host}\"; {Expected}";
        return null;
    }
}
