using BenchmarkDotNet.Attributes;
using Ztunnel.Http2;

namespace Ztunnel.Microbenchmarks.Http2;

/// <summary>What does one CONNECT cost on both sides, from HPACK over the answer to the end of the stream?</summary>
[MemoryDiagnoser]
public class ConnectBenchmarks
{
    private readonly ConnectionPair _pair = new();
    private readonly byte[] _header = new byte[9];

    [Benchmark]
    public int OpenAndClose()
    {
        Http2Stream stream = _pair.Open();
        stream.WriteDataHeader(_header, payloadBytes: 0, endStream: true);
        _pair.Server.Receive(_header, baseOffset: 0);
        _pair.Accepted!.WriteDataHeader(_header, payloadBytes: 0, endStream: true);
        _pair.Client.Receive(_header, baseOffset: 0);
        if (_pair.Client.ActiveStreams != 0 || _pair.Server.ActiveStreams != 0)
        {
            throw new InvalidOperationException("a stream is left");
        }

        return _pair.Responses;
    }
}
