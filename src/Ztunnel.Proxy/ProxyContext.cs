using Microsoft.Extensions.Logging;
using Ztunnel.Linux.Loop;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy.Accepting;
using Ztunnel.Proxy.OnDemand;
using Ztunnel.Proxy.Outbound;
using Ztunnel.Proxy.Telemetry;
using Ztunnel.Telemetry.Logging;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Revocation;

namespace Ztunnel.Proxy;

/// <summary>Yields the certificate of an identity, waiting for the authority when there is none yet. Fails with an exception whose message says why.</summary>
public delegate ValueTask<WorkloadCertificate> CertificateProvider(SpiffeId identity, CancellationToken cancellation);

/// <summary>What the data path of all pods of this node shares; made once by the executable.</summary>
public sealed class ProxyContext
{
    public required LoopGroup Loops { get; init; }

    public required IMeshStore Mesh { get; init; }

    public required CertificateProvider Certificates { get; init; }

    public required TrafficMetrics Traffic { get; init; }

    /// <summary>Metrics of tunnels; counted in a registry of their own where none is given.</summary>
    public TunnelMetrics Tunnels { get => field ??= new TunnelMetrics(Unscraped); init; }

    /// <summary>Metrics of how connections end; counted in a registry of their own where none is given.</summary>
    public OutcomeMetrics Outcomes { get => field ??= new OutcomeMetrics(Unscraped); init; }

    public required AccessLog Access { get; init; }

    public required ProxySettings Settings { get; init; }

    public required RoutingContext Routing { get; init; }

    public required ILoggerFactory Logs { get; init; }

    /// <summary>Whether new connections are let in; open unless somebody watches the memory.</summary>
    public AdmissionGate Admission { get; init; } = new();

    /// <summary>In on-demand mode (XDS_ON_DEMAND): asks for what the mesh does not have yet. Null: the mesh is complete.</summary>
    public AddressFetcher? FetchAddress { get; init; }

    /// <summary>Which certificates are revoked; null when nobody checks. Tunnels whose peer is revoked meanwhile are cut.</summary>
    public Revocations? Revocations { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    internal OnDemandMesh? OnDemand => FetchAddress is null ? null : field ??= new OnDemandMesh(Mesh, Routing, FetchAddress);

    internal HostLookups Lookups { get; init; } = new();

    internal ILogger StateLog => field ??= Logs.CreateLogger("state");

    internal ILogger InboundLog => field ??= Logs.CreateLogger("proxy::inbound");

    internal ILogger OutboundLog => field ??= Logs.CreateLogger("proxy::outbound");

    internal ILogger PassthroughLog => field ??= Logs.CreateLogger("proxy::inbound_passthrough");

    internal ILogger RevocationLog => field ??= Logs.CreateLogger("proxy::crl");

    internal ILogger SocksLog => field ??= Logs.CreateLogger("proxy::socks5");

    internal ILogger DrainLog => field ??= Logs.CreateLogger("drain");

    private MetricRegistry Unscraped => field ??= new MetricRegistry(new MetricSettings { Loops = Loops.Loops.Count }, Time);
}
