using System.Buffers;
using Google.Protobuf;

namespace Ztunnel.ControlPlane.Grpc;

/// <summary>A running call with messages in both directions. One writer and one reader at a time; disposing it ends the call at once.</summary>
public sealed class GrpcDuplexCall<TRequest, TResponse> : IAsyncDisposable
    where TRequest : class, IMessage<TRequest>
    where TResponse : class, IMessage<TResponse>
{
    private readonly GrpcMethod<TRequest, TResponse> _method;
    private readonly HttpRequestMessage _request;
    private readonly GrpcStreamContent _content;
    private readonly int _maxMessageBytes;
    private readonly Func<Exception, GrpcException> _explain;
    private readonly CancellationTokenSource _abort = new();
    private readonly Task<HttpResponseMessage> _response;
    private GrpcMessageReader<TResponse>? _reader;

    internal GrpcDuplexCall(
        GrpcMethod<TRequest, TResponse> method, HttpMessageInvoker invoker, HttpRequestMessage request, GrpcStreamContent content,
        int maxMessageBytes, Func<Exception, GrpcException> explain)
    {
        _method = method;
        _request = request;
        _content = content;
        _maxMessageBytes = maxMessageBytes;
        _explain = explain;
        _response = SendAsync(invoker);
    }

    /// <summary>Completes when the server's headers are there, which many servers send only with their first message.</summary>
    /// <exception cref="GrpcException">There was no connection, or the answer was a refusal.</exception>
    public async Task WaitForHeadersAsync(CancellationToken cancellation) => await OpenReaderAsync(cancellation);

    /// <summary>Sends a message.</summary>
    /// <exception cref="GrpcException">The call is over. The server's reason, if it gave one, comes from <see cref="ReadAsync"/>.</exception>
    public async ValueTask WriteAsync(TRequest message, CancellationToken cancellation)
    {
        int messageBytes = message.CalculateSize();
        byte[] frame = ArrayPool<byte>.Shared.Rent(GrpcFrame.PrefixBytes + messageBytes);
        try
        {
            int length = GrpcFrame.Write(message, messageBytes, frame);
            Stream stream = await _content.Opened.WaitAsync(cancellation);
            await stream.WriteAsync(frame.AsMemory(0, length), cancellation);
            await stream.FlushAsync(cancellation);
        }
        catch (Exception error) when (error is not (GrpcException or OperationCanceledException))
        {
            throw _explain(error);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(frame);
        }
    }

    /// <summary>Says that nothing more will be written. Reading goes on.</summary>
    public void CompleteWriting() => _content.Complete();

    /// <summary>The next message; null when the server ended the stream with OK.</summary>
    /// <exception cref="GrpcException">It ended otherwise.</exception>
    public async ValueTask<TResponse?> ReadAsync(CancellationToken cancellation)
    {
        GrpcMessageReader<TResponse> reader = await OpenReaderAsync(cancellation);
        try
        {
            if (await reader.ReadAsync(cancellation) is { } message) return message;
        }
        catch (Exception error) when (error is not (GrpcException or OperationCanceledException))
        {
            throw _explain(error);
        }
        HttpResponseMessage response = await _response;
        GrpcStatus status = GrpcTrailers.TryReadStatus(response.TrailingHeaders) ?? new GrpcStatus(GrpcStatusCode.Unknown, "the stream ended without a status");
        return status.Code == GrpcStatusCode.Ok ? null : throw new GrpcException(status);
    }

    private async Task<HttpResponseMessage> SendAsync(HttpMessageInvoker invoker)
    {
        try
        {
            return await invoker.SendAsync(_request, _abort.Token);
        }
        catch (Exception error)
        {
            GrpcException explained = _explain(error);
            _content.Fail(explained);
            throw explained;
        }
    }

    private async ValueTask<GrpcMessageReader<TResponse>> OpenReaderAsync(CancellationToken cancellation)
    {
        if (_reader is not null) return _reader;

        HttpResponseMessage response = await _response.WaitAsync(cancellation);
        if (GrpcTrailers.TryReadStatus(response.Headers) is { } early)
        {
            throw new GrpcException(early.Code == GrpcStatusCode.Ok ? new GrpcStatus(GrpcStatusCode.Unknown, "the server ended the stream without an answer") : early);
        }
        if (GrpcTrailers.RefuseForeign(response) is { } foreign) throw new GrpcException(foreign);
        return _reader = new GrpcMessageReader<TResponse>(await response.Content.ReadAsStreamAsync(cancellation), _method.Responses, _maxMessageBytes);
    }

    /// <summary>Ends the call: the server sees a reset unless both sides were through.</summary>
    public async ValueTask DisposeAsync()
    {
        await _abort.CancelAsync();
        _content.Complete();
        try
        {
            (await _response).Dispose();
        }
        catch (GrpcException)
        {
            // It failed before it began; whoever waited for it has been told.
        }
        _request.Dispose();
        _abort.Dispose();
    }
}
