using Ztunnel.Http2.FlowControl;

namespace Ztunnel.Http2;

/// <summary>
/// One CONNECT stream. It holds windows and state only; payload never passes through it. The owner asks how much it may send, reads application bytes behind nine
/// free bytes, and has the frame header written in front of them.
/// </summary>
public sealed class Http2Stream
{
    private readonly Http2Connection _connection;
    internal StreamReceiveWindow ReceiveWindow;
    internal SendWindow OwnSendWindow;

    /// <summary>Control position behind our HEADERS: DATA may follow only when they have been written.</summary>
    internal long HeadersPosition;

    /// <summary>DATA frames in a row that were small, up to a few; see <see cref="Http2Connection"/>.</summary>
    internal byte SmallFrames;

    internal Http2Stream(Http2Connection connection, int id, object? owner, int sendWindow, int receiveWindow)
    {
        _connection = connection;
        Id = id;
        Owner = owner;
        OwnSendWindow = new SendWindow(sendWindow);
        ReceiveWindow = new StreamReceiveWindow(receiveWindow);
    }

    public int Id { get; }

    public object? Owner { get; set; }

    public Http2StreamState State { get; internal set; }

    public bool IsResetByPeer { get; internal set; }

    /// <summary>Server: we answered. Client: the final answer arrived.</summary>
    public bool IsAnswered { get; internal set; }

    public Http2Connection Connection => _connection;

    /// <summary>DATA may be sent: our side is open and, on a server, the request was answered.</summary>
    public bool CanSend => (State is Http2StreamState.Open or Http2StreamState.HalfClosedRemote) && (IsAnswered || _connection.Role == Http2Role.Client);

    /// <summary>What both windows allow now, never negative.</summary>
    public int SendWindow => Math.Max(0, Math.Min(OwnSendWindow.Available, _connection.SendWindow));

    /// <summary>The stream's own window allows something, whatever the connection's does.</summary>
    public bool HasOwnSendWindow => OwnSendWindow.Available > 0;

    /// <summary>Payload of the largest DATA frame that may be sent now; 0 while nothing may be sent.</summary>
    public int MaxDataPayload => CanSend ? Math.Min(SendWindow, _connection.PeerMaxFrameBytes) : 0;

    /// <summary>Received bytes for which no credit was given yet.</summary>
    public int UnconsumedBytes => ReceiveWindow.Unconsumed;

    /// <summary>
    /// Server: answers the request. After any status but 200 the stream is over: the rest of the request is not wanted and gets RST_STREAM(NO_ERROR).
    /// Without effect when the stream has been reset meanwhile.
    /// </summary>
    public void Respond(int status, string? baggage, bool endStream) => _connection.Respond(this, status, baggage, endStream);

    /// <summary>
    /// Writes the nine bytes in front of a payload and takes it off the windows. <paramref name="payloadBytes"/> is at most <see cref="MaxDataPayload"/>; 0 with
    /// <paramref name="endStream"/> needs no window. Control output that was queued before, our HEADERS for one, must have been written.
    /// </summary>
    public int WriteDataHeader(Span<byte> nineBytes, int payloadBytes, bool endStream) => _connection.WriteDataHeader(this, nineBytes, payloadBytes, endStream);

    /// <summary>
    /// So many received bytes have reached the application: the peer may send as many more, here and on the connection. After a reset it has no effect; what had arrived
    /// was given back then.
    /// </summary>
    public void Credit(int bytes) => _connection.Credit(this, bytes);

    /// <summary>Ends both sides. Without effect on a closed stream.</summary>
    public void Reset(Http2ErrorCode code) => _connection.Reset(this, code);
}
