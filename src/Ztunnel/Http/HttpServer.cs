using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Ztunnel.Http;

/// <summary>
/// The admin, stats and readiness ports on one Kestrel, without host, services or routing: those cost more memory than the rest of the process at rest, and three ports with a dozen paths need none of them.
/// </summary>
public sealed class HttpServer : IHttpApplication<HttpContext>, IAsyncDisposable
{
    // A peer that has not finished its headers by then is not worth a connection; keep-alive is as short (control-path 9).
    private static readonly TimeSpan HeaderTimeout = TimeSpan.FromSeconds(2);
    private const int HeaderBytes = 8 * 1024;
    private const int BodyBytes = 16 * 1024;
    private const int Connections = 256;

    private readonly ILogger _log;
    private readonly IReadOnlyList<IHttpPort> _ports;
    private readonly Dictionary<int, IHttpPort> _byPort;
    private readonly KestrelServer _server;

    public HttpServer(IReadOnlyList<IHttpPort> ports, ILoggerFactory loggers)
    {
        _log = loggers.CreateLogger("hyper_util");
        _ports = ports;
        _byPort = ports.ToDictionary(static port => port.Addresses[0].Port);
        var options = new KestrelServerOptions { AddServerHeader = false, AllowSynchronousIO = false };
        options.Limits.RequestHeadersTimeout = HeaderTimeout;
        options.Limits.KeepAliveTimeout = HeaderTimeout;
        options.Limits.MaxRequestHeadersTotalSize = HeaderBytes;
        options.Limits.MaxRequestLineSize = HeaderBytes;
        options.Limits.MaxRequestBufferSize = 2 * HeaderBytes;
        options.Limits.MaxRequestBodySize = BodyBytes;
        options.Limits.MaxConcurrentConnections = Connections;
        foreach (IPEndPoint address in ports.SelectMany(static port => port.Addresses))
            options.Listen(address, Configure);

        var transport = new SocketTransportFactory(Options.Create(new SocketTransportOptions { IOQueueCount = 1 }), loggers);
        _server = new KestrelServer(Options.Create(options), transport, loggers);
    }

    /// <summary>Binds and serves all ports.</summary>
    /// <exception cref="StartException">An address cannot be had.</exception>
    public async Task StartAsync(CancellationToken cancellation)
    {
        try
        {
            await _server.StartAsync(this, cancellation).ConfigureAwait(false);
        }
        catch (IOException failure)
        {
            IHttpPort? port = _ports.FirstOrDefault(port => port.Addresses.Any(address => failure.Message.Contains($":{address.Port}", StringComparison.Ordinal)));
            throw new StartException($"{port?.Component ?? "HTTP"} server starts\n\nCaused by:\n    {failure.GetBaseException().Message} ({string.Join(", ", port?.Addresses ?? [])})", failure);
        }

        foreach (IHttpPort port in _ports)
        {
            foreach (IPEndPoint address in port.Addresses)
                DaemonLog.ListenerEstablished(_log, address, port.Component);
        }
    }

    /// <summary>Closes the listeners, lets requests that run finish until <paramref name="cancellation"/> fires, then cuts them.</summary>
    public async Task StopAsync(CancellationToken cancellation)
    {
        await _server.StopAsync(cancellation).ConfigureAwait(false);
        foreach (IHttpPort port in _ports)
            DaemonLog.ListenerDrained(_log, port.Addresses[0], port.Component);
    }

    public ValueTask DisposeAsync()
    {
        _server.Dispose();
        return ValueTask.CompletedTask;
    }

    private static void Configure(ListenOptions listen)
    {
        listen.Protocols = HttpProtocols.Http1;
        // A client that closes its side behind the request still wants the answer; Kestrel would drop it when it hears of the close. One that is gone altogether is noticed by the write.
        listen.Use(static next => connection =>
        {
            connection.ConnectionClosed = CancellationToken.None;
            return next(connection);
        });
    }

    HttpContext IHttpApplication<HttpContext>.CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

    void IHttpApplication<HttpContext>.DisposeContext(HttpContext context, Exception? exception)
    {
        // The features belong to the connection, and the context holds nothing else.
    }

    async Task IHttpApplication<HttpContext>.ProcessRequestAsync(HttpContext context)
    {
        IHttpPort port = _byPort[context.Connection.LocalPort];
        try
        {
            await port.AnswerAsync(context).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client has gone; there is nobody to answer.
        }
        catch (Exception failure) when (!context.Response.HasStarted)
        {
            DaemonLog.RequestFailed(_log, context.Request.Path, port.Component, failure);
            context.Response.Clear();
            await context.AnswerTextAsync(StatusCodes.Status500InternalServerError, failure.Message).ConfigureAwait(false);
        }
    }
}
