using Ztunnel.Http2.Hpack;

namespace Ztunnel.Http2.Tests.Support;

/// <summary>One connection under test and, on the other side, frames written by hand.</summary>
internal sealed class RawPeer
{
    private readonly HpackDecoder _decoder = new();

    private RawPeer(Http2Role role, Http2Settings settings)
    {
        Connection = new Http2Connection(role, settings, Events, nowMilliseconds: 0);
    }

    public Http2Connection Connection { get; }

    public RecordingEvents Events { get; } = new();

    /// <summary>A server that has seen preface and SETTINGS of a client; its own first frames were read.</summary>
    public static RawPeer OfServer(Http2Settings? settings = null)
    {
        RawPeer peer = Unconnected(Http2Role.Server, settings);
        peer.SendBytes(TestFrame.Preface);
        peer.Send(TestFrame.Settings());
        peer.Forget();
        return peer;
    }

    /// <summary>A client that has seen SETTINGS of a server; its own first frames were read.</summary>
    public static RawPeer OfClient(Http2Settings? settings = null, params (ushort Id, uint Value)[] peerSettings)
    {
        RawPeer peer = Unconnected(Http2Role.Client, settings);
        peer.Send(TestFrame.Settings(peerSettings));
        peer.Forget();
        return peer;
    }

    public static RawPeer Unconnected(Http2Role role, Http2Settings? settings = null) =>
        new(role, settings ?? (role == Http2Role.Client ? Http2Settings.ForClient : Http2Settings.ForServer));

    public Http2ReceiveResult Send(params TestFrame[] frames) => SendBytes([.. frames.SelectMany(frame => frame.ToBytes())]);

    public Http2ReceiveResult SendBytes(byte[] bytes)
    {
        Events.Feed = bytes;
        return Connection.Receive(bytes, baseOffset: 0);
    }

    public byte[] ReadBytes()
    {
        var bytes = new List<byte>();
        var buffer = new byte[16 * 1024];
        while (Connection.HasControlOutput)
            bytes.AddRange(buffer.AsSpan(0, Connection.WriteControl(buffer)));
        return [.. bytes];
    }

    public List<TestFrame> Read() => TestFrame.ReadAll(ReadBytes());

    public TestFrame ReadOne() => Assert.Single(Read());

    public void Forget()
    {
        ReadBytes();
        Events.TakeLog();
    }

    /// <summary>Server: lets the peer open a stream, answers it with 200 and forgets about it.</summary>
    public Http2Stream Accept(int streamId)
    {
        Send(TestFrame.Connect(streamId));
        Http2Stream stream = Events.Streams[streamId];
        stream.Respond(200, baggage: null, endStream: false);
        Forget();
        return stream;
    }

    /// <summary>Client: opens a stream that the peer answers with 200.</summary>
    public Http2Stream Open()
    {
        Http2Stream stream = Connect();
        Send(TestFrame.Ok(stream.Id));
        Forget();
        return stream;
    }

    public Http2Stream Connect() => Connection.OpenStream(Request(), owner: null)!;

    public static ConnectRequest Request(string authority = "10.0.0.2:8080") => new()
    {
        Authority = authority,
        Baggage = "k8s.cluster.name=Kubernetes,k8s.namespace.name=default,k8s.deployment.name=client,service.name=client,service.version=v1",
        Forwarded = "for=\"10.0.0.1:40000\";host=echo.default.svc.cluster.local",
        TraceParent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-00",
    };

    /// <summary>The fields of a HEADERS frame, as `name: value`.</summary>
    public List<string> Fields(TestFrame headers)
    {
        var fields = new List<string>();
        ReadOnlySpan<byte> section = headers.Payload;
        var scratch = new byte[_decoder.ScratchBytes(section.Length)];
        _decoder.BeginSection();
        while (_decoder.TryRead(ref section, scratch, out HeaderField field, out string? error))
            fields.Add($"{System.Text.Encoding.Latin1.GetString(field.Name)}: {System.Text.Encoding.Latin1.GetString(field.Value)}");
        Assert.True(section.IsEmpty);
        return fields;
    }

    public void AssertGoAway(Http2ErrorCode code)
    {
        TestFrame last = Read()[^1];
        Assert.Equal(TestFrame.GoAwayType, last.Type);
        Assert.Equal((uint)code, last.Code);
        Assert.True(Connection.Result.IsClosed);
        Assert.Equal(code, Connection.Result.Code);
    }

    public void AssertReset(int streamId, Http2ErrorCode code)
    {
        TestFrame reset = Assert.Single(Read(), frame => frame.Type == TestFrame.RstStream);
        Assert.Equal(streamId, reset.StreamId);
        Assert.Equal((uint)code, reset.Code);
        Assert.False(Connection.Result.IsClosed);
    }
}
