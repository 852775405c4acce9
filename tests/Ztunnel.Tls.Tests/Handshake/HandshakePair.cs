using System.Collections.Immutable;
using Ztunnel.Mesh.Identity;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Records;

namespace Ztunnel.Tls.Tests.Handshake;

/// <summary>Our client and our server joined by byte arrays: the shortest way to a session, and a place to cut or change what travels.</summary>
internal sealed class HandshakePair : IDisposable
{
    private HandshakePair(TlsHandshake client, TlsHandshake server)
    {
        Client = client;
        Server = server;
    }

    internal TlsHandshake Client { get; }

    internal TlsHandshake Server { get; }

    internal static HandshakePair Start(WorkloadCertificate client, WorkloadCertificate server, ImmutableArray<SpiffeId>? expected = null) =>
        new(TlsHandshake.StartClient(client, expected ?? [server.Identity]), TlsHandshake.StartServer(server));

    /// <summary>Two sessions that belong together.</summary>
    internal static (TlsSession Client, TlsSession Server) Establish(WorkloadCertificate client, WorkloadCertificate server)
    {
        using HandshakePair pair = Start(client, server);
        pair.Run();
        Assert.Null(pair.Client.Failure);
        Assert.Null(pair.Server.Failure);
        return (pair.Client.TakeSession(), pair.Server.TakeSession());
    }

    /// <summary>Carries bytes, in pieces of the given size, until neither side has any.</summary>
    internal void Run(int pieceBytes = int.MaxValue)
    {
        while (Carry(Client, Server, pieceBytes) + Carry(Server, Client, pieceBytes) > 0)
        {
        }
    }

    internal static byte[] TakeAll(TlsHandshake from)
    {
        byte[] bytes = new byte[from.PendingOutputBytes];
        Assert.Equal(bytes.Length, from.TakeOutput(bytes));
        return bytes;
    }

    public void Dispose()
    {
        Client.Dispose();
        Server.Dispose();
    }

    private static int Carry(TlsHandshake from, TlsHandshake to, int pieceBytes)
    {
        byte[] bytes = TakeAll(from);
        for (int at = 0; at < bytes.Length;)
        {
            ReadOnlySpan<byte> piece = bytes.AsSpan(at, Math.Min(pieceBytes, bytes.Length - at));
            to.Advance(piece, out int consumed);
            if (consumed == 0) break;
            at += consumed;
        }

        return bytes.Length;
    }
}
