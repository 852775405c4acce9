using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Ztunnel.ControlPlane.Files;
using Ztunnel.Mesh.Model;

namespace Ztunnel.ControlPlane.Grpc;

/// <summary>HTTP/2 over TLS towards one server, with the roots that were valid when it was made.</summary>
internal sealed class GrpcTransport : IDisposable
{
    // control-path 3.1: TCP alone, within the limit for the whole set-up.
    private static readonly TimeSpan TcpTimeout = TimeSpan.FromSeconds(5);
    private const int KeepAliveIdleSeconds = 300;
    private const int KeepAliveIntervalSeconds = 75;
    private const int KeepAliveProbes = 9;
    private const int StreamWindowBytes = 2 * 1024 * 1024;

    // SOL_SOCKET and SO_MARK of socket(7), for which the library has no name.
    private const int SocketLevel = 1;
    private const int MarkOption = 36;

    private readonly GrpcChannelSettings _settings;
    private string? _rejection;   // why the server's certificate was refused last; read after the failure it caused

    public GrpcTransport(GrpcChannelSettings settings, FileSignature rootsRead, X509Certificate2Collection roots)
    {
        _settings = settings;
        RootsRead = rootsRead;
        Invoker = new HttpMessageInvoker(CreateHandler(roots));
    }

    public FileSignature RootsRead { get; }

    public HttpMessageInvoker Invoker { get; }

    /// <summary>Why the server's certificate was refused, if it was.</summary>
    public string? Rejection => Volatile.Read(ref _rejection);

    private SocketsHttpHandler CreateHandler(X509Certificate2Collection roots) => new()
    {
        ConnectTimeout = _settings.ConnectTimeout,
        ConnectCallback = ConnectAsync,
        KeepAlivePingDelay = _settings.KeepAliveDelay,
        KeepAlivePingTimeout = _settings.KeepAliveTimeout,
        KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
        InitialHttp2StreamWindowSize = StreamWindowBytes,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseCookies = false,
        UseProxy = false,
        ActivityHeadersPropagator = null,
        SslOptions = CreateTlsOptions(roots),
    };

    private SslClientAuthenticationOptions CreateTlsOptions(X509Certificate2Collection roots) => new()
    {
        ApplicationProtocols = [SslApplicationProtocol.Http2],
        EnabledSslProtocols = _settings.AllowTls12 ? SslProtocols.Tls12 | SslProtocols.Tls13 : SslProtocols.Tls13,
        CipherSuitesPolicy = CreateSuites(),
        CertificateChainPolicy = CreateChainPolicy(roots),
        RemoteCertificateValidationCallback = Verify,
    };

    private CipherSuitesPolicy CreateSuites()
    {
        // control-path 7.7.
        TlsCipherSuite[] tls13 = [TlsCipherSuite.TLS_AES_256_GCM_SHA384, TlsCipherSuite.TLS_AES_128_GCM_SHA256];
        TlsCipherSuite[] tls12 =
        [
            TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        ];
        return new CipherSuitesPolicy(_settings.AllowTls12 ? [.. tls13, .. tls12] : tls13);
    }

    private static X509ChainPolicy CreateChainPolicy(X509Certificate2Collection roots)
    {
        X509ChainPolicy policy = new()
        {
            TrustMode = roots.Count == 0 ? X509ChainTrustMode.System : X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        policy.CustomTrustStore.AddRange(roots);
        return policy;
    }

    private bool Verify(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (errors == SslPolicyErrors.None) return true;
        // The chain is good and only the name is another one than we dialled.
        if (errors == SslPolicyErrors.RemoteCertificateNameMismatch
            && _settings.AlternativeHostName is { } alternative
            && certificate is X509Certificate2 leaf
            && leaf.MatchesHostname(alternative, allowWildcards: true, allowCommonName: false))
        {
            return true;
        }
        Volatile.Write(ref _rejection, Explain(certificate, chain, errors));
        return false;
    }

    private string Explain(X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (certificate is null) return "the server sent no certificate";
        List<string> reasons = [];
        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateChainErrors))
        {
            string why = chain is null ? "" : string.Join(", ", chain.ChainStatus.Select(static s => s.Status.ToString()).Distinct());
            reasons.Add($"the server's certificate does not chain to {_settings.Roots} ({why})");
        }
        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
        {
            string alternative = _settings.AlternativeHostName is { } name ? $" nor {name}" : "";
            reasons.Add($"the server's certificate is not for {_settings.Address.IdnHost}{alternative}");
        }
        return string.Join("; ", reasons);
    }

    // Address by address with a socket each: a socket with options set cannot be used again after a failed attempt.
    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellation)
    {
        IPAddress[] addresses = await Dns.GetHostAddressesAsync(context.DnsEndPoint.Host, cancellation);
        for (int i = 0; ; i++)
        {
            if (addresses.Length == 0) throw new SocketException((int)SocketError.HostNotFound);
            try
            {
                return await ConnectAsync(new IPEndPoint(Canonical.Address(addresses[i]), context.DnsEndPoint.Port), cancellation);
            }
            catch (Exception error) when (error is SocketException or TimeoutException && i + 1 < addresses.Length)
            {
                // The next address may answer; the last one's failure is told.
            }
        }
    }

    private async Task<Stream> ConnectAsync(IPEndPoint server, CancellationToken cancellation)
    {
        using CancellationTokenSource timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        timeout.CancelAfter(TcpTimeout);
        Socket socket = new(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            if (_settings.Mark is { } mark) socket.SetRawSocketOption(SocketLevel, MarkOption, BitConverter.GetBytes(mark));
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, KeepAliveIdleSeconds);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, KeepAliveIntervalSeconds);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, KeepAliveProbes);
            await socket.ConnectAsync(server, timeout.Token);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            socket.Dispose();
            throw new TimeoutException($"no TCP connection to {server} within {TcpTimeout.TotalSeconds} s");
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public void Dispose() => Invoker.Dispose();
}
