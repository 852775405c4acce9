using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Ztunnel.Testing;
using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Records;

namespace Ztunnel.Tls.Tests.Peers;

/// <summary>Our sessions against .NET's SslStream in both roles, megabytes at a time: every size of record, both directions.</summary>
public sealed class SslStreamTests
{
    private const int Bytes = 3_000_017;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    [Theory]
    [InlineData(1000)]
    [InlineData(16384)]
    public async Task ClientIsSslStream_BulkBothWays_ArrivesUnchanged(int recordBytes)
    {
        using Socket listener = TlsPump.Listen();
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, ((IPEndPoint)listener.LocalEndPoint!).Port);
        using TlsPump pump = await TlsPump.AcceptAsync(listener);
        Task<TlsFailure?> ours = Task.Run(() => pump.Shake(TlsHandshake.StartServer(TestMesh.BobCertificate)));
        using var theirs = new SslStream(socket.GetStream(), leaveInnerStreamOpen: false, (_, _, _, _) => true);

        using X509Certificate2 certificate = Usable(TestMesh.AliceIssued);
        await theirs.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "",
            ClientCertificates = [certificate],
            EnabledSslProtocols = SslProtocols.Tls13,
            ApplicationProtocols = [SslApplicationProtocol.Http2],
        }).WaitAsync(Timeout);

        Assert.Null(await ours.WaitAsync(Timeout));
        Assert.Equal(SslApplicationProtocol.Http2, theirs.NegotiatedApplicationProtocol);
        Assert.Equal(TestMesh.Alice, pump.Session.Peer.Identity);
        await ExchangeAsync(pump, theirs, recordBytes);
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(16384)]
    public async Task ServerIsSslStream_BulkBothWays_ArrivesUnchanged(int recordBytes)
    {
        using Socket listener = TlsPump.Listen();
        Task<Socket> accepting = listener.AcceptAsync();
        using TlsPump pump = await TlsPump.ConnectAsync(((IPEndPoint)listener.LocalEndPoint!).Port);
        Task<TlsFailure?> ours = Task.Run(() => pump.Shake(TlsHandshake.StartClient(TestMesh.AliceCertificate, [TestMesh.Bob])));
        using var theirs = new SslStream(new NetworkStream(await accepting, ownsSocket: true), leaveInnerStreamOpen: false, (_, _, _, _) => true);

        using X509Certificate2 certificate = Usable(TestMesh.BobIssued);
        await theirs.AuthenticateAsServerAsync(new SslServerAuthenticationOptions
        {
            ServerCertificate = certificate,
            ClientCertificateRequired = true,
            EnabledSslProtocols = SslProtocols.Tls13,
            ApplicationProtocols = [SslApplicationProtocol.Http2],
        }).WaitAsync(Timeout);

        Assert.Null(await ours.WaitAsync(Timeout));
        Assert.Equal(TestMesh.Bob, pump.Session.Peer.Identity);
        await ExchangeAsync(pump, theirs, recordBytes);
    }

    private static async Task ExchangeAsync(TlsPump pump, SslStream theirs, int recordBytes)
    {
        byte[] up = new byte[Bytes];
        byte[] down = new byte[Bytes];
        new Random(1).NextBytes(up);
        new Random(2).NextBytes(down);

        Task sending = theirs.WriteAsync(up).AsTask();
        byte[] received = await Task.Run(() => pump.Read(Bytes, out _)).WaitAsync(Timeout);
        await sending.WaitAsync(Timeout);
        Assert.Equal(up, received);

        Task ours = Task.Run(() => pump.Send(down, recordBytes));
        byte[] buffer = new byte[Bytes];
        await theirs.ReadExactlyAsync(buffer).AsTask().WaitAsync(Timeout);
        await ours.WaitAsync(Timeout);
        Assert.Equal(down, buffer);

        await theirs.ShutdownAsync().WaitAsync(Timeout);
        Assert.Equal(OpenKind.CloseNotify, pump.ReadEnd());
        pump.Close();
        Assert.Equal(0, await theirs.ReadAsync(buffer).AsTask().WaitAsync(Timeout));
    }

    /// <summary>SslStream wants keys that are not ephemeral objects of another certificate.</summary>
    private static X509Certificate2 Usable(IssuedCertificate issued) =>
        X509CertificateLoader.LoadPkcs12(issued.Leaf.Export(X509ContentType.Pkcs12), null);
}
