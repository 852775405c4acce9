namespace Ztunnel.Proxy.Connections;

/// <summary>Every way a connection can end, be refused or fail. The words, flags and advice for each are in <see cref="EndReasons"/>.</summary>
public enum EndReason : byte
{
    /// <summary>Still open.</summary>
    None,

    /// <summary>Both directions ended in order.</summary>
    Completed,

    /// <summary>The source application reset its connection.</summary>
    SourceReset,

    /// <summary>The destination application reset its connection, or closed it while bytes for it were under way.</summary>
    DestinationReset,

    /// <summary>The peer of the tunnel reset the stream.</summary>
    StreamReset,

    /// <summary>The tunnel broke under its streams.</summary>
    TunnelLost,

    /// <summary>The peer of the tunnel did not answer a PING in time.</summary>
    TunnelTimedOut,

    /// <summary>An authorization policy does not allow the connection.</summary>
    PolicyDenied,

    /// <summary>A policy that changed no longer allows the connection.</summary>
    PolicyChanged,

    /// <summary>The destination refused the connection or could not be reached.</summary>
    ConnectFailed,

    /// <summary>The destination application did not answer the connection attempt in time.</summary>
    ConnectTimedOut,

    /// <summary>The HBONE port of the next hop did not answer the connection attempt in time.</summary>
    TunnelConnectTimedOut,

    /// <summary>The TLS handshake failed.</summary>
    TlsFailed,

    /// <summary>The TLS handshake or the answer to the CONNECT did not come in time.</summary>
    SetUpTimedOut,

    /// <summary>The peer is not who it should be.</summary>
    IdentityRejected,

    /// <summary>HTTP/2 failed before the CONNECT was answered.</summary>
    Http2Failed,

    /// <summary>The next hop answered the CONNECT with an error status.</summary>
    HttpStatus,

    /// <summary>No certificate could be had for the local identity.</summary>
    IdentityUnavailable,

    /// <summary>A certificate of the peer has been revoked.</summary>
    CertificateRevoked,

    /// <summary>The control plane has not delivered the local workload.</summary>
    LocalWorkloadUnknown,

    /// <summary>No route leads to the destination, or its description cannot be used.</summary>
    NoRoute,

    /// <summary>The connection would lead back into this proxy.</summary>
    RecursiveCall,

    /// <summary>A request on the HBONE port is not one that can be served.</summary>
    BadRequest,

    /// <summary>The proxy or the pod is being shut down.</summary>
    Drained,

    /// <summary>A limit of this process was reached.</summary>
    ResourceExhausted,

    /// <summary>Nothing moved for as long as the settings allow.</summary>
    IdleTimedOut,

    /// <summary>Memory is short: what is open goes on, what is new is refused.</summary>
    MemoryShort,
}
