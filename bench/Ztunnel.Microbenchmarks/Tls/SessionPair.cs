using Ztunnel.Mesh.Identity;
using Ztunnel.Testing;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Records;

namespace Ztunnel.Microbenchmarks.Tls;

/// <summary>A client and a server joined by byte arrays.</summary>
internal sealed class SessionPair : IDisposable
{
    private static readonly SpiffeId ClientId = SpiffeId.Parse("spiffe://cluster.local/ns/bench/sa/client");
    private static readonly SpiffeId ServerId = SpiffeId.Parse("spiffe://cluster.local/ns/bench/sa/server");
    private static readonly TestAuthority Authority = TestAuthority.Create();

    private readonly WorkloadCertificate _client = Authority.Issue(ClientId.ToString()).ToWorkload(ClientId);
    private readonly WorkloadCertificate _server = Authority.Issue(ServerId.ToString()).ToWorkload(ServerId);

    /// <summary>A full mutual handshake; the sessions belong to the caller.</summary>
    public (TlsSession Client, TlsSession Server) Handshake()
    {
        using TlsHandshake client = TlsHandshake.StartClient(_client, [ServerId]);
        using TlsHandshake server = TlsHandshake.StartServer(_server);
        byte[] buffer = new byte[16 * 1024];
        while (Carry(client, server, buffer) + Carry(server, client, buffer) > 0)
        {
        }

        return (client.TakeSession(), server.TakeSession());
    }

    public void Dispose()
    {
        _client.Dispose();
        _server.Dispose();
    }

    private static int Carry(TlsHandshake from, TlsHandshake to, byte[] buffer)
    {
        int bytes = from.TakeOutput(buffer);
        if (bytes > 0)
        {
            to.Advance(buffer.AsSpan(0, bytes), out _);
        }

        return bytes;
    }
}
