using System.Net;

namespace Ztunnel.ControlPlane.Grpc;

/// <summary>A request body that is written while the answer is already being read.</summary>
internal sealed class GrpcStreamContent : HttpContent
{
    private readonly TaskCompletionSource<Stream> _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _completed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The stream to write to: there once the connection is.</summary>
    public Task<Stream> Opened => _opened.Task;

    /// <summary>Ends the body.</summary>
    public void Complete() => _completed.TrySetResult();

    /// <summary>The request failed: whoever waits for the stream waits in vain.</summary>
    public void Fail(Exception error)
    {
        _opened.TrySetException(error);
        _ = _opened.Task.Exception;   // seen here, in case nobody writes any more
        _completed.TrySetResult();
    }

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        try
        {
            // The handler keeps the request's headers back until something is flushed: a call on which the server speaks first would never begin.
            await stream.FlushAsync(cancellationToken);
        }
        catch (Exception error)
        {
            // A server that refuses on the headers alone may be faster than this flush: then nobody else says that there is nothing to write to.
            Fail(new IOException("the call was over before it could be written to", error));
            throw;
        }

        _opened.TrySetResult(stream);
        await _completed.Task.WaitAsync(cancellationToken);
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
