using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy.Connections;

/// <summary>Who has to act on a failure.</summary>
public enum FaultSide : byte
{
    Nobody,
    Source,
    Destination,
    Policy,
    Network,
    ControlPlane,
    Proxy,
}

/// <summary>What log, metrics and documentation say about one <see cref="EndReason"/>.</summary>
/// <param name="Code">The stable word of the reason.</param>
/// <param name="ResponseFlag">Value of the metric label <c>response_flags</c> (data-path 8.5).</param>
/// <param name="Fault">Who has to act.</param>
/// <param name="Advice">What to check.</param>
public sealed record EndReasonEntry(string Code, ResponseFlag ResponseFlag, FaultSide Fault, string Advice);

/// <summary>The one list of reasons: log, metrics and admin port use the same words.</summary>
public static class EndReasons
{
    // Indexed by EndReason. The flag CONNECT stands for every failure without a flag of its own, as dashboards expect (data-path 8.5).
    private static readonly EndReasonEntry[] Table =
    [
        new("open", ResponseFlag.None, FaultSide.Nobody, "the connection is open"),
        new("completed", ResponseFlag.None, FaultSide.Nobody, "nothing: both sides ended in order"),
        new("source_reset", ResponseFlag.Connect, FaultSide.Source, "the client application aborted its connection"),
        new("destination_reset", ResponseFlag.Connect, FaultSide.Destination, "the server application aborted the connection"),
        new("stream_reset", ResponseFlag.Connect, FaultSide.Destination, "the other proxy gave the stream up: its log line of the same time has the cause"),
        new("tunnel_lost", ResponseFlag.Connect, FaultSide.Network, "the connection between the proxies broke: node, network or a restart of the other proxy"),
        new("tunnel_timed_out", ResponseFlag.Connect, FaultSide.Network, "the other proxy stopped answering: node down, network partition or overload"),
        new("policy_denied", ResponseFlag.Deny, FaultSide.Policy, "the AuthorizationPolicy or PeerAuthentication that applies to the destination"),
        new("policy_changed", ResponseFlag.Deny, FaultSide.Policy, "a policy that changed no longer allows the connection"),
        new("connect_failed", ResponseFlag.Connect, FaultSide.Destination, "does the destination listen on this address and port"),
        new("connect_timed_out", ResponseFlag.Connect, FaultSide.Destination, "the destination does not answer: overload, NetworkPolicy or a firewall"),
        new("tunnel_connect_timed_out", ResponseFlag.NetworkPolicy, FaultSide.Network, "port 15008 of the destination does not answer: a NetworkPolicy that blocks it"),
        new("tls_failed", ResponseFlag.TlsFailure, FaultSide.Network, "certificates, roots and TLS versions of both proxies"),
        new("set_up_timed_out", ResponseFlag.Connect, FaultSide.Network, "the other proxy accepted the connection and then said nothing"),
        new("identity_rejected", ResponseFlag.TlsFailure, FaultSide.ControlPlane, "the peer's service account or trust domain is not the expected one"),
        new("http2_failed", ResponseFlag.H2HandshakeFailure, FaultSide.Network, "the peer on port 15008 does not speak HBONE as expected"),
        new("http_status", ResponseFlag.Connect, FaultSide.Destination, "401: policy at the destination; 503: the destination application; 400: stale address"),
        new("identity_unavailable", ResponseFlag.IdentityError, FaultSide.ControlPlane, "the certificate authority: is it reachable, does it know the pod"),
        new("certificate_revoked", ResponseFlag.CertRevoked, FaultSide.Policy, "the revocation list names a certificate of the peer"),
        new("local_workload_unknown", ResponseFlag.None, FaultSide.ControlPlane, "the control plane has not sent the pod of this node: is it connected, is the pod in the mesh"),
        new("no_route", ResponseFlag.None, FaultSide.ControlPlane, "service, endpoints, waypoint or gateway of the destination"),
        new("recursive_call", ResponseFlag.None, FaultSide.Source, "the application dials a port of the proxy itself"),
        new("bad_request", ResponseFlag.None, FaultSide.Source, "the client of port 15008 sent a request that cannot be served"),
        new("drained", ResponseFlag.None, FaultSide.Proxy, "the proxy or the pod was shut down"),
        new("resource_exhausted", ResponseFlag.Connect, FaultSide.Proxy, "descriptors or memory of the proxy"),
        new("idle_timed_out", ResponseFlag.None, FaultSide.Nobody, "nothing moved for ZTUNNEL_IDLE_TIMEOUT, or for ZTUNNEL_HALF_CLOSED_TIMEOUT behind the end of one side"),
        new("memory_short", ResponseFlag.Connect, FaultSide.Proxy, "the memory limit of the proxy: new connections are refused above ZTUNNEL_MEMORY_REFUSE_PERCENT of it, open ones go on; raise the limit"),
    ];

    public static EndReasonEntry Describe(EndReason reason) => Table[(int)reason];

    /// <summary>All reasons in the order of the enumeration.</summary>
    public static IReadOnlyList<EndReasonEntry> All => Table;
}
