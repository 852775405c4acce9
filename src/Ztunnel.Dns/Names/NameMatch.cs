using Ztunnel.Mesh.Model;

namespace Ztunnel.Dns.Names;

/// <summary>What a name means.</summary>
/// <param name="Service">The service that answers for it; null when the mesh knows none, and the query is forwarded.</param>
/// <param name="Pod">One endpoint of a headless service that was asked for by the pod's own name.</param>
/// <param name="StrippedLength">Above zero when a search domain was taken off: how many characters were left.</param>
internal readonly record struct NameMatch(Service? Service, Workload? Pod = null, int StrippedLength = 0)
{
    /// <summary>The client is told the name it really meant, except where a wildcard stands for it.</summary>
    public bool NeedsCname => StrippedLength > 0 && Service is { } service && !service.Hostname.StartsWith('*');
}
