namespace Ztunnel.Http2.Tests.Support;

/// <summary>
/// An owner of a connection as the proxy is one, with random habits: sends each stream's bytes in random pieces, gives credit late, writes control output first.
/// The bytes of a stream follow from its number and direction, so the receiving side knows what must come.
/// </summary>
internal sealed class TunnelSide : IHttp2Events
{
    private readonly Random _random;
    private readonly Dictionary<int, Transfer> _transfers = [];
    private readonly Func<int, int> _bytesToSend;
    private byte[] _feed = [];

    public TunnelSide(Http2Role role, Http2Settings settings, Random random, Func<int, int> bytesToSend)
    {
        _random = random;
        _bytesToSend = bytesToSend;
        Connection = new Http2Connection(role, settings, this, nowMilliseconds: 0);
    }

    public Http2Connection Connection { get; }

    public MemoryStream Wire { get; } = new();

    public int ClosedStreams { get; private set; }

    public List<string> Mistakes { get; } = [];

    public void Open()
    {
        ConnectRequest request = RawPeer.Request();
        if (Connection.OpenStream(request, owner: null) is { } stream)
            stream.Owner = _transfers[stream.Id] = new Transfer(stream, _bytesToSend(stream.Id), Connection.Role);
    }

    /// <summary>Puts control output and some DATA on the wire.</summary>
    public void Send()
    {
        var buffer = new byte[_random.Next(1, 400)];
        while (Connection.HasControlOutput)
            Wire.Write(buffer, 0, Connection.WriteControl(buffer));
        foreach (Transfer transfer in _transfers.Values.Where(transfer => transfer.MaySend).ToArray())
        {
            if (_random.Next(3) == 0)
                continue;
            Http2Stream stream = transfer.Stream;
            int bytes = Math.Min(transfer.LeftToSend, _random.Next(1 + stream.MaxDataPayload));
            bool end = bytes == transfer.LeftToSend && (bytes > 0 || transfer.LeftToSend == 0) && _random.Next(2) == 0;
            if (bytes == 0 && !end)
                continue;
            var frame = new byte[9 + bytes];
            transfer.Fill(frame.AsSpan(9));
            stream.WriteDataHeader(frame, bytes, end);
            transfer.HasEnded = end;
            Wire.Write(frame);
        }
    }

    /// <summary>Takes a piece of what the other side put on its wire.</summary>
    public Http2ReceiveResult Receive(ReadOnlySpan<byte> piece)
    {
        int baseOffset = _random.Next(100);
        _feed = new byte[baseOffset + piece.Length];
        piece.CopyTo(_feed.AsSpan(baseOffset));
        return Connection.Receive(_feed.AsSpan(baseOffset), baseOffset);
    }

    public void Credit()
    {
        foreach (Transfer transfer in _transfers.Values)
        {
            int bytes = _random.Next(1 + transfer.Stream.UnconsumedBytes);
            transfer.Stream.Credit(_random.Next(3) == 0 ? transfer.Stream.UnconsumedBytes : bytes);
        }
    }

    public void AssertComplete(Func<int, int> bytesFromPeer)
    {
        Assert.Empty(Mistakes);
        Assert.Equal(0, Connection.ActiveStreams);
        foreach (Transfer transfer in _transfers.Values)
        {
            Assert.Equal(0, transfer.LeftToSend);
            Assert.Equal(bytesFromPeer(transfer.Stream.Id), transfer.Received);
            Assert.True(transfer.PeerEnded);
        }
    }

    public void OnRequest(Http2Stream stream, in Http2Request request)
    {
        stream.Owner = _transfers[stream.Id] = new Transfer(stream, _bytesToSend(stream.Id), Connection.Role);
        stream.Respond(200, request.Baggage, endStream: false);
    }

    public void OnResponse(Http2Stream stream, in Http2Response response)
    {
        if (response.Status != 200 || response.Baggage is null)
            Mistakes.Add($"response {response}");
        _transfers[stream.Id].IsAnswered = true;
    }

    public void OnData(Http2Stream stream, int offset, int length)
    {
        if (!_transfers[stream.Id].Take(_feed.AsSpan(offset, length)))
            Mistakes.Add($"wrong bytes on {stream.Id}");
    }

    public void OnEndOfStream(Http2Stream stream) => _transfers[stream.Id].PeerEnded = true;

    public void OnReset(Http2Stream stream, Http2ErrorCode code) => Mistakes.Add($"reset {stream.Id} {code}");

    public void OnSendWindow(Http2Stream stream)
    {
        if (stream.SendWindow == 0)
            Mistakes.Add($"window of {stream.Id} announced, but closed");
    }

    public void OnStreamClosed(Http2Stream stream) => ClosedStreams++;

    public void OnGoAway(int lastStreamId, Http2ErrorCode code, string debug) => Mistakes.Add($"goaway {code} {debug}");

    public void OnSettings()
    {
    }

    private sealed class Transfer(Http2Stream stream, int bytesToSend, Http2Role role)
    {
        private readonly Random _outgoing = new((stream.Id * 2) + (role == Http2Role.Client ? 0 : 1));
        private readonly Random _incoming = new((stream.Id * 2) + (role == Http2Role.Client ? 1 : 0));

        public Http2Stream Stream { get; } = stream;

        public int LeftToSend { get; private set; } = bytesToSend;

        public int Received { get; private set; }

        public bool HasEnded { get; set; }

        public bool PeerEnded { get; set; }

        public bool IsAnswered { get; set; } = role == Http2Role.Server;

        public bool MaySend => IsAnswered && !HasEnded;

        public void Fill(Span<byte> payload)
        {
            for (int i = 0; i < payload.Length; i++)
                payload[i] = (byte)_outgoing.Next(256);
            LeftToSend -= payload.Length;
        }

        public bool Take(ReadOnlySpan<byte> payload)
        {
            Received += payload.Length;
            bool right = true;
            foreach (byte b in payload)
                right &= b == (byte)_incoming.Next(256);
            return right;
        }
    }
}
