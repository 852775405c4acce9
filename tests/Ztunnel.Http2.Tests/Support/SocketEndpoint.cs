using System.Net.Sockets;
using System.Security.Cryptography;

namespace Ztunnel.Http2.Tests.Support;

/// <summary>
/// Our connection on a plain socket, for peers that are other programs. As a server it echoes every CONNECT except to `refuse` (503) and other methods (400);
/// as a client it sends bytes and hashes what comes back. One lock stands for the one loop that owns a connection in the proxy.
/// </summary>
internal sealed class SocketEndpoint : IHttp2Events, IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private readonly Socket _socket;
    private readonly Lock _lock = new();
    private readonly Dictionary<Http2Stream, Outgoing> _outgoing = [];
    private readonly byte[] _received = new byte[64 * 1024];
    private readonly byte[] _send = new byte[64 * 1024];
    private readonly SemaphoreSlim _wanted = new(0);
    private volatile bool _finished;

    public SocketEndpoint(Socket socket, Http2Role role, Http2Settings settings)
    {
        _socket = socket;
        _socket.NoDelay = true;
        Connection = new Http2Connection(role, settings, this, nowMilliseconds: 0);
    }

    public Http2Connection Connection { get; }

    /// <summary>Reads until the peer or a connection error ends it; returns the error's text, if any.</summary>
    public async Task<string?> RunAsync()
    {
        Task writing = WriteAsync();
        while (!await ReadAsync())
            _wanted.Release();
        _finished = true;
        _wanted.Release();
        await writing.WaitAsync(Limit);
        _socket.Shutdown(SocketShutdown.Both);
        return Connection.Result.Text;
    }

    /// <summary>Client: a CONNECT whose exchange is complete when the task is: its status, and whether the echo was what was sent.</summary>
    public async Task<(int Status, bool SameBytes)> ExchangeAsync(string authority, byte[] bytes)
    {
        var exchange = new Outgoing();
        lock (_lock)
        {
            Http2Stream stream = Connection.OpenStream(RawPeer.Request(authority), exchange) ?? throw new InvalidOperationException("no stream to be had");
            exchange.Bytes.Enqueue(bytes);
            exchange.EndsWhenEmpty = true;
            _outgoing.Add(stream, exchange);
        }
        _wanted.Release();
        int status = await exchange.Completed.Task.WaitAsync(Limit);
        return (status, exchange.Echo.GetHashAndReset().AsSpan().SequenceEqual(SHA256.HashData(bytes)));
    }

    public void Shutdown()
    {
        lock (_lock)
        {
            Connection.StartGracefulShutdown(0);
        }
        _wanted.Release();
    }

    public void Dispose() => _socket.Dispose();

    public void OnRequest(Http2Stream stream, in Http2Request request)
    {
        if (request.Method != "CONNECT")
        {
            stream.Respond(400, baggage: null, endStream: true);
            return;
        }
        if (request.Authority.StartsWith("refuse", StringComparison.Ordinal))
        {
            stream.Respond(503, baggage: null, endStream: true);
            return;
        }
        stream.Respond(200, request.Baggage, endStream: false);
        _outgoing.Add(stream, new Outgoing { MaySend = true });
    }

    public void OnResponse(Http2Stream stream, in Http2Response response)
    {
        var exchange = (Outgoing)stream.Owner!;
        exchange.Status = response.Status;
        exchange.MaySend = response.Status == 200;
    }

    public void OnData(Http2Stream stream, int offset, int length)
    {
        ReadOnlySpan<byte> payload = _received.AsSpan(offset, length);
        if (Connection.Role == Http2Role.Server)
        {
            // Credit follows when the echo has gone out: what is held here stays within the window.
            _outgoing[stream].Bytes.Enqueue(payload.ToArray());
            return;
        }
        ((Outgoing)stream.Owner!).Echo.AppendData(payload);
        stream.Credit(length);
    }

    public void OnEndOfStream(Http2Stream stream)
    {
        if (Connection.Role == Http2Role.Server && _outgoing.TryGetValue(stream, out Outgoing? outgoing))
            outgoing.EndsWhenEmpty = true;
    }

    public void OnReset(Http2Stream stream, Http2ErrorCode code)
    {
        if (stream.Owner is Outgoing exchange)
            exchange.Status = -(int)code;
    }

    public void OnSendWindow(Http2Stream stream)
    {
    }

    public void OnStreamClosed(Http2Stream stream)
    {
        _outgoing.Remove(stream);
        if (stream.Owner is Outgoing exchange)
            exchange.Completed.SetResult(exchange.Status);
    }

    public void OnGoAway(int lastStreamId, Http2ErrorCode code, string debug)
    {
    }

    public void OnSettings()
    {
    }

    /// <summary>True at the end.</summary>
    private async Task<bool> ReadAsync()
    {
        using var timeout = new CancellationTokenSource(Limit);
        int count;
        try
        {
            count = await _socket.ReceiveAsync(_received, SocketFlags.None, timeout.Token);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            return true;    // a peer that has all it wanted and did not read our last words
        }
        lock (_lock)
        {
            return count == 0 || Connection.Receive(_received.AsSpan(0, count), baseOffset: 0).IsClosed;
        }
    }

    /// <summary>Writes while the other side does not read must not keep us from reading: this runs beside the reader.</summary>
    private async Task WriteAsync()
    {
        while (true)
        {
            bool last = _finished;
            int count;
            lock (_lock)
            {
                count = Fill();
            }
            for (int sent = 0; sent < count;)
                sent += await _socket.SendAsync(_send.AsMemory(sent, count - sent), SocketFlags.None);
            if (count > 0)
                continue;
            if (last)
                return;
            await _wanted.WaitAsync(Limit);
        }
    }

    private int Fill()
    {
        int count = Connection.WriteControl(_send);
        foreach ((Http2Stream stream, Outgoing outgoing) in _outgoing.ToArray())
        {
            while (outgoing.MaySend && outgoing.Bytes.TryPeek(out byte[]? piece) && _send.Length - count > 9)
            {
                int bytes = Math.Min(Math.Min(piece.Length - outgoing.Sent, stream.MaxDataPayload), _send.Length - count - 9);
                if (bytes == 0)
                    break;
                stream.WriteDataHeader(_send.AsSpan(count), bytes, endStream: false);
                piece.AsSpan(outgoing.Sent, bytes).CopyTo(_send.AsSpan(count + 9));
                count += 9 + bytes;
                outgoing.Sent += bytes;
                if (Connection.Role == Http2Role.Server)
                    stream.Credit(bytes);
                if (outgoing.Sent < piece.Length)
                    break;
                outgoing.Bytes.Dequeue();
                outgoing.Sent = 0;
            }
            if (outgoing is { MaySend: true, EndsWhenEmpty: true, Bytes.Count: 0 } && _send.Length - count >= 9)
            {
                outgoing.MaySend = false;
                count += stream.WriteDataHeader(_send.AsSpan(count), 0, endStream: true);
            }
        }
        return count;
    }

    private sealed class Outgoing
    {
        public Queue<byte[]> Bytes { get; } = [];

        public int Sent { get; set; }

        public bool MaySend { get; set; }

        public bool EndsWhenEmpty { get; set; }

        public int Status { get; set; }

        public IncrementalHash Echo { get; } = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        public TaskCompletionSource<int> Completed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
