namespace Ztunnel.Http2;

/// <summary>
/// What a connection tells its owner. Called on the thread that called into the connection, from <see cref="Http2Connection.Receive"/> and, for
/// <see cref="OnStreamClosed"/>, also from within the owner's own calls that end a stream. Every method of the connection and its streams may be called from here
/// except Receive and WriteControl.
/// </summary>
public interface IHttp2Events
{
    /// <summary>Server: a new stream, to be answered with <see cref="Http2Stream.Respond"/> or <see cref="Http2Stream.Reset"/>.</summary>
    public void OnRequest(Http2Stream stream, in Http2Request request);

    /// <summary>Client: the final answer.</summary>
    public void OnResponse(Http2Stream stream, in Http2Response response);

    /// <summary>Payload arrived: <paramref name="offset"/> is the base offset given to Receive plus its position there. The bytes stay the owner's until it credits them.</summary>
    public void OnData(Http2Stream stream, int offset, int length);

    /// <summary>The peer will send no more on this stream (END_STREAM on DATA or on trailers).</summary>
    public void OnEndOfStream(Http2Stream stream);

    /// <summary>
    /// The stream was ended by a reset: of the peer, or of ours because the peer broke a rule (<see cref="Http2Stream.IsResetByPeer"/> tells).
    /// Not called for resets the owner asked for.
    /// </summary>
    public void OnReset(Http2Stream stream, Http2ErrorCode code);

    /// <summary><see cref="Http2Stream.SendWindow"/> was 0 and no longer is.</summary>
    public void OnSendWindow(Http2Stream stream);

    /// <summary>Both sides have ended, or the stream was reset: its slot is free. Exactly once for each stream, after any other event but late credit.</summary>
    public void OnStreamClosed(Http2Stream stream);

    /// <summary>The peer will take no new streams. Streams above <paramref name="lastStreamId"/> have been reset as refused: they may be tried elsewhere.</summary>
    public void OnGoAway(int lastStreamId, Http2ErrorCode code, string debug);

    /// <summary>The peer's SETTINGS were applied.</summary>
    public void OnSettings();
}
