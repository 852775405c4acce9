using Ztunnel.Dns.Serving;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Routing;
using Ztunnel.Proxy;
using Ztunnel.Settings;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Revocation;

namespace Ztunnel;

/// <summary>Turns the settings into each component's own record.</summary>
internal static class Composition
{
    public static MetricSettings Metrics(ZtunnelSettings settings) => new()
    {
        Loops = settings.Tuning.WorkerThreads,
        QuietPeriod = settings.Observability.MetricsQuietPeriod,
        DroppedTrafficLabels = settings.Observability.DroppedTrafficLabels,
    };

    public static TlsSettings Tls(ZtunnelSettings settings, Revocations? revocations, TimeProvider time, Action<string>? keyLog) => new()
    {
        Revocations = revocations,
        Time = time,
        KeyLog = keyLog,
        KeyExchange = settings.ControlPlane.PostQuantumOnly ? KeyExchangePolicy.HybridOnly : KeyExchangePolicy.Standard,
    };

    public static SocketSettings Sockets(ZtunnelSettings settings) => new()
    {
        Mark = settings.Mode.PacketMark,
        // A dedicated proxy shares its ports with nobody: a second one is a mistake, and must fail to bind.
        ReusePort = settings.Mode is { Mode: ProxyMode.Shared, PortReuse: true },
        KeepAlive = new KeepAliveSettings
        {
            Enabled = settings.Tuning.KeepAliveEnabled,
            Time = settings.Tuning.KeepAliveTime,
            Interval = settings.Tuning.KeepAliveInterval,
            Retries = settings.Tuning.KeepAliveRetries,
        },
        UserTimeout = settings.Tuning.UserTimeout,
        OriginalSource = settings.Mode.OriginalSource,
        IPv6 = settings.Mode.IPv6Enabled,
    };

    public static DnsSettings Dns(ZtunnelSettings settings) => new()
    {
        Address = settings.Mode.DnsAddress,
        Port = settings.Mode.DnsPort,
        ClusterDomain = settings.ControlPlane.ClusterDomain,
        PreferredNamespace = settings.Mode.PreferredServiceNamespace,
        IPv6Enabled = settings.Mode.IPv6Enabled,
        SharesResolverFile = settings.Mode.Mode == ProxyMode.Dedicated,
        ControlPlaneHosts = [.. new[] { settings.ControlPlane.XdsAddress, settings.ControlPlane.CaAddress }.OfType<Uri>().Where(static address => address.HostNameType == UriHostNameType.Dns).Select(static address => address.IdnHost.TrimEnd('.')).Distinct()],
    };

    public static RoutingContext Routing(ZtunnelSettings settings) => new(settings.Node.Network, settings.Mode.IPv6Enabled) { Socks5Enabled = settings.Mode.Socks5Enabled };

    public static ProxySettings Proxy(ZtunnelSettings settings) => new()
    {
        Network = settings.Node.Network,
        IPv6Enabled = settings.Mode.IPv6Enabled,
        ResponseBaggage = settings.Mode.ResponseBaggage,
        LocalhostAppTunnel = settings.Mode.LocalhostAppTunnel,
        PoolMaxStreams = settings.Tuning.PoolMaxStreams,
        PoolUnusedRelease = settings.Tuning.PoolUnusedRelease,
        PoolMaxAge = settings.Tuning.PoolMaxAge,
        IdleLimit = settings.Tuning.IdleTimeout > TimeSpan.Zero ? settings.Tuning.IdleTimeout : null,
        HalfClosedLimit = settings.Tuning.HalfClosedTimeout > TimeSpan.Zero ? settings.Tuning.HalfClosedTimeout : null,
        Http2StreamWindowBytes = settings.Tuning.StreamWindowBytes,
        Http2ConnectionWindowBytes = settings.Tuning.ConnectionWindowBytes,
        Http2FrameBytes = settings.Tuning.FrameBytes,
        TerminationDeadline = settings.Tuning.TerminationDeadline,
        PolicyDecisionsAtInfo = settings.Mode.PolicyDecisionsAtInfo,
        Policies = new PolicySettings { UnknownPolicies = settings.Mode.UnknownPoliciesSkipped ? UnknownPolicyHandling.Skip : UnknownPolicyHandling.FailClosed },
    };
}
