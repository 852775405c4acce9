using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Microsoft.Extensions.Logging;
using Ztunnel.ControlPlane.Files;

namespace Ztunnel.ControlPlane.Grpc;

/// <summary>Calls to one gRPC server: unary and bidirectional. The shapes are the usual ones, so that a library can take this place.</summary>
/// <remarks>
/// Roots and token are looked at for every call. When the roots have changed, new calls use a new connection; running ones finish on theirs.
/// A channel is cheap: whoever wants a fresh connection for each stream makes a channel for each.
/// </remarks>
public sealed class GrpcChannel : IDisposable
{
    private static readonly MediaTypeHeaderValue ContentType = new("application/grpc");

    private static readonly GrpcStatus NoAnswer = new(GrpcStatusCode.Unimplemented, "one message was expected in the answer");

    private readonly GrpcChannelSettings _settings;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _gate = new();   // guards _transport and _disposed
    private GrpcTransport? _transport;
    private bool _disposed;

    public GrpcChannel(GrpcChannelSettings settings, TimeProvider time, ILogger logger)
    {
        if (settings.Address.Scheme != Uri.UriSchemeHttps) throw new ArgumentException($"{settings.Address}: only https is spoken", nameof(settings));
        _settings = settings;
        _time = time;
        _logger = logger;
    }

    /// <summary>One request, one answer.</summary>
    /// <exception cref="GrpcException">Everything that can go wrong, as a status.</exception>
    public async Task<TResponse> CallAsync<TRequest, TResponse>(
        GrpcMethod<TRequest, TResponse> method, TRequest request, GrpcCallOptions options, CancellationToken cancellation)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        using CancellationTokenSource? timer = options.Timeout is { } limit ? new CancellationTokenSource(limit, _time) : null;
        using CancellationTokenSource both = CancellationTokenSource.CreateLinkedTokenSource(cancellation, timer?.Token ?? CancellationToken.None);
        GrpcTransport? transport = null;
        try
        {
            transport = CurrentTransport();
            int messageBytes = request.CalculateSize();
            byte[] frame = new byte[GrpcFrame.PrefixBytes + messageBytes];
            GrpcFrame.Write(request, messageBytes, frame);
            using HttpRequestMessage http = await CreateRequestAsync(method.Path, new ByteArrayContent(frame), options, both.Token);
            using HttpResponseMessage response = await transport.Invoker.SendAsync(http, both.Token);
            return await ReadOnlyAnswerAsync(method, response, both.Token);
        }
        catch (Exception error) when (timer is { IsCancellationRequested: true } && !cancellation.IsCancellationRequested)
        {
            throw new GrpcException(GrpcStatusCode.DeadlineExceeded, $"no answer from {_settings.Address} within {options.Timeout!.Value.TotalSeconds} s", error);
        }
        catch (Exception error) when (error is not GrpcException)
        {
            cancellation.ThrowIfCancellationRequested();
            throw Failed(error, transport);
        }
    }

    /// <summary>Opens a stream in both directions. The call is under way when this returns; the server's headers come later.</summary>
    /// <exception cref="GrpcException">The roots or the token cannot be read.</exception>
    public async Task<GrpcDuplexCall<TRequest, TResponse>> OpenDuplexAsync<TRequest, TResponse>(GrpcMethod<TRequest, TResponse> method, CancellationToken cancellation)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        GrpcTransport transport = CurrentTransport();
        GrpcStreamContent content = new();
        HttpRequestMessage http = await CreateRequestAsync(method.Path, content, default, cancellation);
        return new GrpcDuplexCall<TRequest, TResponse>(method, transport.Invoker, http, content, _settings.MaxMessageBytes, error => Failed(error, transport));
    }

    private async Task<TResponse> ReadOnlyAnswerAsync<TRequest, TResponse>(GrpcMethod<TRequest, TResponse> method, HttpResponseMessage response, CancellationToken cancellation)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        if ((GrpcTrailers.TryReadStatus(response.Headers) ?? GrpcTrailers.RefuseForeign(response)) is { } early)
        {
            throw new GrpcException(early.Code == GrpcStatusCode.Ok ? NoAnswer : early);
        }

        GrpcMessageReader<TResponse> reader = new(await response.Content.ReadAsStreamAsync(cancellation), method.Responses, _settings.MaxMessageBytes);
        TResponse? answer = await reader.ReadAsync(cancellation);
        TResponse? second = answer is null ? null : await reader.ReadAsync(cancellation);   // reads on to the trailers
        GrpcStatus status = GrpcTrailers.TryReadStatus(response.TrailingHeaders) ?? new GrpcStatus(GrpcStatusCode.Unknown, "the answer ended without a status");
        if (status.Code != GrpcStatusCode.Ok) throw new GrpcException(status);
        if (answer is null || second is not null) throw new GrpcException(NoAnswer);
        return answer;
    }

    private async ValueTask<HttpRequestMessage> CreateRequestAsync(string path, HttpContent content, GrpcCallOptions options, CancellationToken cancellation)
    {
        content.Headers.ContentType = ContentType;
        HttpRequestMessage request = new(HttpMethod.Post, new Uri(_settings.Address, path))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = content,
        };
        request.Headers.TryAddWithoutValidation("te", "trailers");
        if (options.Timeout is { } timeout)
        {
            request.Headers.TryAddWithoutValidation("grpc-timeout", $"{((long)timeout.TotalMilliseconds).ToString(CultureInfo.InvariantCulture)}m");
        }

        // The token and its cluster win over custom headers of the same names (control-path 3.1).
        string? token = _settings.Token is null ? null : await _settings.Token.ReadAsync(cancellation);
        foreach ((string name, string value) in _settings.Headers)
        {
            if (token is null || name is not ("authorization" or "clusterid")) request.Headers.TryAddWithoutValidation(name, value);
        }
        if (token is not null)
        {
            request.Headers.TryAddWithoutValidation("authorization", $"Bearer {token}");
            request.Headers.TryAddWithoutValidation("clusterid", _settings.ClusterId);
        }
        return request;
    }

    /// <summary>The connection to use now: another one when the roots have changed, unless they cannot be read and there is one already.</summary>
    private GrpcTransport CurrentTransport()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            try
            {
                FileSignature signature = _settings.Roots.ReadSignature();
                if (_transport is not null && _transport.RootsRead == signature) return _transport;

                X509Certificate2Collection roots = _settings.Roots.Load(out int skipped);
                if (skipped > 0) GrpcLog.RootsSkipped(_logger, skipped, _settings.Roots.ToString());
                _transport?.Dispose();   // streams on it go on; new ones cannot start
                _transport = new GrpcTransport(_settings, signature, roots);
            }
            catch (GrpcException error) when (_transport is not null)
            {
                // control-path 7.4: what worked goes on working until the file is right again.
                GrpcLog.RootsKept(_logger, error.Status.Detail);
            }
            return _transport!;
        }
    }

    private GrpcException Failed(Exception error, GrpcTransport? transport)
    {
        string rejection = transport?.Rejection is { } reason ? $" ({reason})" : "";
        return GrpcErrors.FromTransport(error, $"{_settings.Address}{rejection}");
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            _transport?.Dispose();
        }
    }
}
