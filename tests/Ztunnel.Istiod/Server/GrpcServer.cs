using System.Net;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ztunnel.Istiod.Server;

/// <summary>An HTTP/2 server over TLS, whose answers somebody else writes.</summary>
public sealed class GrpcServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private int _connections;

    private GrpcServer(WebApplication app) => _app = app;

    public ServerCertificates Certificates { get; private init; } = new();

    /// <summary>Shown to the next connection.</summary>
    public X509Certificate2? Certificate { get; set; }

    /// <summary>TLS connections so far.</summary>
    public int Connections => Volatile.Read(ref _connections);

    public int Port => new Uri(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port;

    public Uri Address => new($"https://127.0.0.1:{Port}");

    public static async Task<GrpcServer> StartAsync(
        Func<GrpcCall, Task> answer, SslProtocols protocols = SslProtocols.Tls13, Action<KestrelServerOptions>? configure = null, int port = 0, ServerCertificates? certificates = null,
        IPAddress? address = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        GrpcServer? server = null;
        builder.WebHost.ConfigureKestrel(options =>
        {
            options.Limits.MaxRequestBodySize = null;
            // A stream that is quiet for long is nothing bad here.
            options.Limits.MinRequestBodyDataRate = null;
            options.Limits.MinResponseDataRate = null;
            configure?.Invoke(options);
            options.Listen(address ?? IPAddress.Loopback, port, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                listen.UseHttps(https =>
                {
                    https.SslProtocols = protocols;
                    https.ServerCertificateSelector = (_, _) =>
                    {
                        Interlocked.Increment(ref server!._connections);
                        return server.Certificate;
                    };
                });
            });
        });
        WebApplication app = builder.Build();
        server = new GrpcServer(app) { Certificates = certificates ?? new ServerCertificates() };
        server.Certificate = server.Certificates.Issue("127.0.0.1");
        app.Run(context => answer(new GrpcCall(context)));
        await app.StartAsync();
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        // Streams that are still open are cut, not waited for.
        await _app.StopAsync(new CancellationToken(canceled: true));
        await _app.DisposeAsync();
    }
}
