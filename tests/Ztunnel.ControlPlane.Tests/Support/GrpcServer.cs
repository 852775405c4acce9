using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ztunnel.ControlPlane.Tests.Support;

/// <summary>An HTTP/2 server over TLS on a free port, whose answers a test writes by hand.</summary>
internal sealed class GrpcServer : IAsyncDisposable
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

    public static async Task<GrpcServer> StartAsync(Func<GrpcCall, Task> answer, SslProtocols protocols = SslProtocols.Tls13, Action<KestrelServerOptions>? configure = null, int port = 0, ServerCertificates? certificates = null)
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
            options.Listen(IPAddress.Loopback, port, listen =>
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

/// <summary>The server's side of one call.</summary>
internal sealed class GrpcCall(HttpContext http)
{
    public HttpContext Http => http;

    public string Path => http.Request.Path;

    public CancellationToken Aborted => http.RequestAborted;

    public string? Header(string name) => http.Request.Headers.TryGetValue(name, out var values) ? values.ToString() : null;

    /// <summary>The next message; null when the client has finished writing.</summary>
    public async Task<T?> ReadAsync<T>(MessageParser<T> parser)
        where T : class, IMessage<T>
    {
        PipeReader body = http.Request.BodyReader;
        ReadResult prefix = await body.ReadAtLeastAsync(5, http.RequestAborted);
        if (prefix.Buffer.Length < 5) return null;
        int length = (int)BinaryPrimitives.ReadUInt32BigEndian(prefix.Buffer.Slice(1, 4).ToArray());
        body.AdvanceTo(prefix.Buffer.GetPosition(5));
        ReadResult message = length == 0 ? default : await body.ReadAtLeastAsync(length, http.RequestAborted);
        if (length == 0) return parser.ParseFrom(ByteString.Empty);
        ReadOnlySequence<byte> payload = message.Buffer.Slice(0, length);
        T parsed = parser.ParseFrom(payload);
        body.AdvanceTo(payload.End);
        return parsed;
    }

    public async Task WriteAsync(IMessage message)
    {
        byte[] payload = message.ToByteArray();
        await WriteRawAsync(0, (uint)payload.Length, payload);
    }

    /// <summary>Writes a frame whose prefix may lie.</summary>
    public async Task WriteRawAsync(byte flag, uint length, byte[] payload)
    {
        http.Response.ContentType ??= "application/grpc";
        byte[] prefix = new byte[5];
        prefix[0] = flag;
        BinaryPrimitives.WriteUInt32BigEndian(prefix.AsSpan(1), length);
        await http.Response.Body.WriteAsync(prefix, http.RequestAborted);
        await http.Response.Body.WriteAsync(payload, http.RequestAborted);
        await http.Response.Body.FlushAsync(http.RequestAborted);
    }

    /// <summary>Ends the call: in the trailers when something was sent, else as a trailers-only answer.</summary>
    public void End(int status, string? message = null)
    {
        http.Response.ContentType ??= "application/grpc";
        if (http.Response.HasStarted)
        {
            http.Response.AppendTrailer("grpc-status", status.ToString());
            if (message is not null) http.Response.AppendTrailer("grpc-message", message);
        }
        else
        {
            http.Response.Headers["grpc-status"] = status.ToString();
            if (message is not null) http.Response.Headers["grpc-message"] = message;
        }
    }
}
