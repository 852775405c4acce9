using BenchmarkDotNet.Attributes;
using Ztunnel.Tls.Records;

namespace Ztunnel.Microbenchmarks.Tls;

/// <summary>What do sealing and opening a record in place cost, beside the AES-GCM that cannot be saved?</summary>
[MemoryDiagnoser]
public class RecordBenchmarks
{
    private readonly SessionPair _pair = new();
    private TlsSession _client = null!;
    private TlsSession _server = null!;
    private byte[] _record = [];

    [Params(1, 64, 1024, 16384)]
    public int PlaintextBytes { get; set; }

    [GlobalSetup]
    public void Start()
    {
        (_client, _server) = _pair.Handshake();
        _record = GC.AllocateArray<byte>(TlsSession.MaxRecordBytes, pinned: true);
    }

    [GlobalCleanup]
    public void Stop()
    {
        _client.Dispose();
        _server.Dispose();
        _pair.Dispose();
    }

    [Benchmark]
    public int SealAndOpen()
    {
        if (_client.HasControlOutput)
        {
            // The keys have carried enough records: what any sender owes its peer before it goes on.
            int update = _client.WriteControl(_record);
            Expect(_server.Open(_record.AsSpan(0, update)), OpenKind.Control);
        }

        int bytes = _client.Seal(_record, PlaintextBytes);
        OpenResult opened = _server.Open(_record.AsSpan(0, bytes));
        Expect(opened, OpenKind.Data);
        return opened.Length;
    }

    private static void Expect(OpenResult result, OpenKind kind)
    {
        if (result.Kind != kind)
        {
            throw new InvalidOperationException($"{result.Kind} instead of {kind}");
        }
    }
}
