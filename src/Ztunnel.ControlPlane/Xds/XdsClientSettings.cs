using Ztunnel.ControlPlane.Grpc;

namespace Ztunnel.ControlPlane.Xds;

/// <summary>What the xDS client needs to know.</summary>
public sealed record XdsClientSettings
{
    public required GrpcChannelSettings Channel { get; init; }

    public required XdsNodeSettings Node { get; init; }

    /// <summary>XDS_ON_DEMAND: addresses are fetched when they are first used.</summary>
    public bool OnDemand { get; init; }

    /// <summary>How long the server may take for its first response; it may have to compute a whole mesh (control-path 12, W-6).</summary>
    public TimeSpan FirstResponseTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a request may wait for a server that does not read.</summary>
    public TimeSpan WriteTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long whoever wants a resource waits for it.</summary>
    public TimeSpan OnDemandTimeout { get; init; } = TimeSpan.FromSeconds(5);
}
