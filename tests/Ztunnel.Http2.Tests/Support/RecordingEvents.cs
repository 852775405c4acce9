namespace Ztunnel.Http2.Tests.Support;

/// <summary>Writes down what a connection says, one short line each, and collects payload by stream. Tests may hook into any event.</summary>
internal sealed class RecordingEvents : IHttp2Events
{
    public List<string> Log { get; } = [];

    public Dictionary<int, Http2Stream> Streams { get; } = [];

    public Dictionary<int, MemoryStream> Received { get; } = [];

    public Http2Request LastRequest { get; private set; }

    public Http2Response LastResponse { get; private set; }

    /// <summary>What is being fed, so that offsets can be followed to bytes.</summary>
    public byte[] Feed { get; set; } = [];

    public Action<Http2Stream>? Requested { get; set; }

    public Action<Http2Stream, int>? DataArrived { get; set; }

    public Action<Http2Stream>? Ended { get; set; }

    public Action<Http2Stream>? WasReset { get; set; }

    public Action<Http2Stream>? WindowOpened { get; set; }

    public List<string> TakeLog()
    {
        List<string> log = [.. Log];
        Log.Clear();
        return log;
    }

    public void OnRequest(Http2Stream stream, in Http2Request request)
    {
        Streams[stream.Id] = stream;
        LastRequest = request;
        Log.Add($"request {stream.Id} {request.Method} {request.Authority}");
        Requested?.Invoke(stream);
    }

    public void OnResponse(Http2Stream stream, in Http2Response response)
    {
        LastResponse = response;
        Log.Add($"response {stream.Id} {response.Status}");
    }

    public void OnData(Http2Stream stream, int offset, int length)
    {
        if (!Received.TryGetValue(stream.Id, out MemoryStream? received))
            Received[stream.Id] = received = new MemoryStream();
        received.Write(Feed, offset, length);
        Log.Add($"data {stream.Id} {length}");
        DataArrived?.Invoke(stream, length);
    }

    public void OnEndOfStream(Http2Stream stream)
    {
        Log.Add($"end {stream.Id}");
        Ended?.Invoke(stream);
    }

    public void OnReset(Http2Stream stream, Http2ErrorCode code)
    {
        Log.Add($"reset {stream.Id} {code}{(stream.IsResetByPeer ? "" : " by us")}");
        WasReset?.Invoke(stream);
    }

    public void OnSendWindow(Http2Stream stream)
    {
        Log.Add($"window {stream.Id} {stream.SendWindow}");
        WindowOpened?.Invoke(stream);
    }

    public void OnStreamClosed(Http2Stream stream) => Log.Add($"closed {stream.Id}");

    public void OnGoAway(int lastStreamId, Http2ErrorCode code, string debug) => Log.Add($"goaway {lastStreamId} {code} {debug}".TrimEnd());

    public void OnSettings() => Log.Add("settings");
}
