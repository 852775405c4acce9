namespace Ztunnel.Http2;

/// <summary>The states of RFC 9113 5.1 that a CONNECT stream can be in. Idle and reserved streams have no object.</summary>
public enum Http2StreamState
{
    /// <summary>Both sides may send.</summary>
    Open,

    /// <summary>We sent END_STREAM; the peer may still send.</summary>
    HalfClosedLocal,

    /// <summary>The peer sent END_STREAM; we may still send.</summary>
    HalfClosedRemote,

    /// <summary>Both sides ended, or one reset the stream. Nothing is sent on it any more.</summary>
    Closed,
}
