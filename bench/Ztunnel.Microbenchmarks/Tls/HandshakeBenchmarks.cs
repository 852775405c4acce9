using BenchmarkDotNet.Attributes;
using Ztunnel.Tls.Records;

namespace Ztunnel.Microbenchmarks.Tls;

/// <summary>What does a full mutual handshake cost, both sides together, without the network?</summary>
[MemoryDiagnoser]
public class HandshakeBenchmarks
{
    private readonly SessionPair _pair = new();

    [GlobalCleanup]
    public void Stop() => _pair.Dispose();

    [Benchmark]
    public string BothSides()
    {
        (TlsSession client, TlsSession server) = _pair.Handshake();
        string suite = client.CipherSuite;
        client.Dispose();
        server.Dispose();
        return suite;
    }
}
