namespace Ztunnel.Http2;

/// <summary>What <see cref="Http2Connection.OnTick"/> asks of the owner.</summary>
public enum KeepAliveAction
{
    /// <summary>Nothing to do until <see cref="Http2Connection.NextTickMilliseconds"/>.</summary>
    None,

    /// <summary>Frames were queued (a PING, or the last GOAWAY of a graceful shutdown): flush control output.</summary>
    SendPing,

    /// <summary>The peer has been silent for too long: flush what is queued, then close the transport and fail every stream.</summary>
    TimedOut,
}
