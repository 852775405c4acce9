using System.Text;
using Ztunnel.Http2;

namespace Ztunnel.Fuzz.Tests.Targets;

/// <summary>What a connection told its owner while it was fed, as text: the same bytes must tell the same story however they are cut.</summary>
internal sealed class FrameStory : IHttp2Events
{
    private readonly StringBuilder _story = new();
    private byte[] _fed = [];
    private int _dataOf;

    /// <summary>Feeds the pieces to a new connection; a server answers every request.</summary>
    public static (Http2ReceiveResult Result, string Story) Tell(Http2Role role, byte[] bytes, IEnumerable<Range> pieces)
    {
        var story = new FrameStory { _fed = bytes };
        var connection = new Http2Connection(role, role == Http2Role.Server ? Http2Settings.ForServer : Http2Settings.ForClient, story, nowMilliseconds: 0);
        byte[] output = new byte[16 * 1024];
        if (role == Http2Role.Client)
        {
            for (int streams = 0; streams < 3; streams++)
                connection.OpenStream(new ConnectRequest { Authority = "a:1", Baggage = "", Forwarded = "f", TraceParent = "t" }, owner: null);
        }

        Http2ReceiveResult result = default;
        foreach (Range piece in pieces)
        {
            result = connection.Receive(bytes.AsSpan(piece), piece.Start.Value);
            while (connection.HasControlOutput)
                connection.WriteControl(output);
        }

        connection.TakeStreams();
        connection.Release();
        return (result, story._story.ToString());
    }

    public void OnRequest(Http2Stream stream, in Http2Request request)
    {
        Say($"request {stream.Id} {request.Method} {request.Authority} {request.Baggage} {request.Forwarded} {request.TraceParent} {request.EndStream}");
        stream.Respond(200, baggage: null, endStream: false);
    }

    public void OnResponse(Http2Stream stream, in Http2Response response) => Say($"response {stream.Id} {response}");

    public void OnData(Http2Stream stream, int offset, int length)
    {
        // Pieces of one frame are one piece of the story.
        if (_dataOf != stream.Id)
            _story.Append('\n').Append("data ").Append(stream.Id).Append(' ');
        _story.Append(Convert.ToHexString(_fed, offset, length));
        _dataOf = stream.Id;
        stream.Credit(length);
    }

    public void OnEndOfStream(Http2Stream stream) => Say($"end {stream.Id}");

    public void OnReset(Http2Stream stream, Http2ErrorCode code) => Say($"reset {stream.Id} {code} {stream.IsResetByPeer}");

    public void OnSendWindow(Http2Stream stream) => Say($"window {stream.Id}");

    public void OnStreamClosed(Http2Stream stream) => Say($"closed {stream.Id}");

    public void OnGoAway(int lastStreamId, Http2ErrorCode code, string debug) => Say($"goaway {lastStreamId} {code} {debug}");

    public void OnSettings() => Say("settings");

    private void Say(string what)
    {
        _dataOf = 0;
        _story.Append('\n').Append(what);
    }
}
