using BenchmarkDotNet.Attributes;
using Ztunnel.Http2;
using Ztunnel.Linux.Buffers;
using Ztunnel.Microbenchmarks.Http2;
using Ztunnel.Microbenchmarks.Tls;
using Ztunnel.Proxy.Hbone;
using Ztunnel.Tls.Records;

namespace Ztunnel.Microbenchmarks.Proxy;

/// <summary>What does one relay step cost without the kernel: payload framed and sealed in place by one proxy, opened in place and parsed by the other?</summary>
[MemoryDiagnoser]
public class RelayStepBenchmarks
{
    private readonly SessionPair _sessions = new();
    private readonly BufferPool _buffers = new();
    private ConnectionPair _connections = null!;
    private TlsSession _sender = null!;
    private TlsSession _receiver = null!;
    private NativeBuffer _records = null!;
    private Http2Stream _stream = null!;
    private byte[] _payload = [];

    [Params(1, 1024, 16 * 1024, 128 * 1024)]
    public int PayloadBytes { get; set; }

    [GlobalSetup]
    public void Start()
    {
        (_sender, _receiver) = _sessions.Handshake();
        _connections = new ConnectionPair();
        _stream = _connections.Open();
        _records = _buffers.Rent(288 * 1024);
        _payload = new byte[PayloadBytes];
    }

    [GlobalCleanup]
    public void Stop()
    {
        _buffers.Return(_records);
        _buffers.Dispose();
        _sender.Dispose();
        _receiver.Dispose();
        _sessions.Dispose();
    }

    [Benchmark]
    public long SendAndReceive()
    {
        long before = _connections.DataBytes;
        int bytes = Send();
        Receive(bytes);
        _connections.ExchangeControl();
        long delivered = _connections.DataBytes - before;
        return delivered == PayloadBytes ? delivered : throw new InvalidOperationException($"{delivered} of {PayloadBytes} bytes arrived");
    }

    private int Send()
    {
        var writer = new RecordWriter(_records, _sender);
        writer.AppendSessionControl();
        for (ReadOnlySpan<byte> rest = _payload; !rest.IsEmpty;)
            rest = rest[writer.AppendPayload(_stream, rest)..];
        return writer.Complete();
    }

    private void Receive(int bytes)
    {
        for (int position = 0; position < bytes;)
        {
            OpenResult opened = _receiver.Open(_records.Span[position..bytes]);
            if (opened.Kind == OpenKind.Data)
                _connections.Server.Receive(_records.Span.Slice(position + opened.Offset, opened.Length), baseOffset: 0);
            else if (opened.Kind != OpenKind.Control)
                throw new InvalidOperationException($"{opened.Kind} in the middle of a batch");
            position += opened.Consumed;
        }
    }
}
