using BenchmarkDotNet.Attributes;
using Ztunnel.Http2;

namespace Ztunnel.Microbenchmarks.Http2;

/// <summary>What does framing add to a payload: header, windows, events, credit and WINDOW_UPDATEs of both sides?</summary>
[MemoryDiagnoser]
public class FrameBenchmarks
{
    private ConnectionPair _pair = null!;
    private Http2Stream _stream = null!;
    private byte[] _wire = [];

    [Params(1, 1024, 16384)]
    public int PayloadBytes { get; set; }

    [GlobalSetup]
    public void Start()
    {
        _pair = new ConnectionPair();
        _stream = _pair.Open();
        _wire = new byte[9 + PayloadBytes];
    }

    [Benchmark]
    public long SendAndReceiveData()
    {
        _stream.WriteDataHeader(_wire, PayloadBytes, endStream: false);
        if (_pair.Server.Receive(_wire, baseOffset: 0).IsClosed)
        {
            throw new InvalidOperationException("the server refused a DATA frame");
        }

        if (_pair.Server.HasControlOutput)
        {
            _pair.ExchangeControl();
        }

        return _pair.DataBytes;
    }
}
