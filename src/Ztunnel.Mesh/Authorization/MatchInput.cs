using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.Authorization;

/// <summary>A connection in the form that compiled conditions compare: addresses as numbers, computed once for all policies.</summary>
internal readonly struct MatchInput(in PolicyConnection connection)
{
    public SpiffeId? Identity { get; } = connection.SourceIdentity;

    /// <summary>Empty without an identity, and compared as such (control-path 6.4).</summary>
    public string Namespace { get; } = connection.SourceIdentity?.Namespace ?? "";

    public IpBits Source { get; } = IpBits.From(connection.Source);

    public IpBits Destination { get; } = IpBits.From(connection.Destination.Address);

    public ushort DestinationPort { get; } = (ushort)connection.Destination.Port;
}
