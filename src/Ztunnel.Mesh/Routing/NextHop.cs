using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.Routing;

/// <summary>One way to carry a connection on: where to connect and what to ask for there.</summary>
public sealed record NextHop
{
    internal NextHop()
    {
    }

    /// <summary>Never <see cref="RouteKind.Refuse"/>.</summary>
    public required RouteKind Kind { get; init; }

    /// <summary>Null while <see cref="Hostname"/> has to be resolved; then see <see cref="At"/>.</summary>
    public IPEndPoint? Address { get; init; }

    /// <summary>To be resolved when connecting; null when <see cref="Address"/> is known.</summary>
    public string? Hostname { get; init; }

    /// <summary>The TCP port to connect to, also when the address is not known yet.</summary>
    public required ushort Port { get; init; }

    /// <summary>The family to prefer among resolved addresses: that of the address the client dialled.</summary>
    public AddressFamily PreferredFamily { get; init; }

    /// <summary>The :authority of the CONNECT, for double HBONE of both; empty for TCP, and as long as it depends on <see cref="Hostname"/>.</summary>
    public string Authority { get; init; } = "";

    /// <summary>Any of these must be in the certificate of the tunnel's peer; empty for TCP.</summary>
    public ImmutableArray<SpiffeId> ExpectedIdentities { get; init; } = [];

    /// <summary>The same for the inner tunnel of double HBONE. Empty means that no peer will do.</summary>
    public ImmutableArray<SpiffeId> InnerIdentities { get; init; } = [];

    /// <summary>What the hop leads to, for telemetry and load: the workload itself, a waypoint or a gateway. Null for destinations outside the mesh.</summary>
    public Workload? Workload { get; init; }

    /// <summary>The service of the waypoint or gateway, when the hop is one and was found through one.</summary>
    public Service? GatewayService { get; init; }

    /// <summary>The port of the application where the authority is the workload's own address; 0 where the authority is fixed.</summary>
    internal ushort TargetPort { get; init; }

    /// <summary>This hop with its hostname resolved.</summary>
    public NextHop At(IPAddress resolved) => this with
    {
        Address = new IPEndPoint(resolved, Port),
        Hostname = null,
        Authority = TargetPort == 0 ? Authority : new IPEndPoint(resolved, TargetPort).ToString(),
    };
}
