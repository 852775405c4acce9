using System.Net;
using Microsoft.Extensions.Logging;
using Ztunnel.Dns.Forwarding;
using Ztunnel.Linux.Loop;
using Ztunnel.Mesh.State;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Dns.Serving;

/// <summary>How DNS is served (control-path 2.2, 2.3).</summary>
public sealed record DnsSettings
{
    /// <summary>DNS_PROXY_ADDR with an address; null: loopback of both families.</summary>
    public IPEndPoint? Address { get; init; }

    /// <summary>Its port, default 15053.</summary>
    public int Port { get; init; } = 15053;

    /// <summary>CLUSTER_DOMAIN.</summary>
    public string ClusterDomain { get; init; } = "cluster.local";

    /// <summary>PREFERED_SERVICE_NAMESPACE.</summary>
    public string? PreferredNamespace { get; init; }

    /// <summary>IPV6_ENABLED: whether IPv6 addresses are told, and ::1 is served.</summary>
    public bool IPv6Enabled { get; init; } = true;

    /// <summary>Whether the clients read the same resolv.conf as we do (dedicated mode): its search list is theirs. Else they have the one that Kubernetes gives to a pod.</summary>
    public bool SharesResolverFile { get; init; }

    /// <summary>The hosts of XDS_ADDRESS and CA_ADDRESS: until the mesh has told who the client is, the resolvers are asked for them and everything else waits.</summary>
    public IReadOnlyList<string> ControlPlaneHosts { get; init; } = [];
}

/// <summary>What DNS of all pods of this node shares; made once by the executable.</summary>
public sealed class DnsContext
{
    public required LoopGroup Loops { get; init; }

    public required IMeshStore Mesh { get; init; }

    public required DnsMetrics Metrics { get; init; }

    public required DnsSettings Settings { get; init; }

    /// <summary>Whom to ask what the mesh does not know.</summary>
    public required ResolverSource Resolver { get; init; }

    public required ILoggerFactory Logs { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>One line for each query.</summary>
    internal ILogger Log => field ??= Logs.CreateLogger("dns");

    internal ILogger ServerLog => field ??= Logs.CreateLogger("dns::server");

    internal ILogger HandlerLog => field ??= Logs.CreateLogger("dns::handler");
}
