using Ztunnel.ControlPlane.Grpc;

namespace Ztunnel.ControlPlane.Tests.Grpc;

public sealed class GrpcStreamContentTests
{
    /// <summary>An istiod that is not ready refuses streams on their headers. Whoever was about to write waited for half a minute, and with it the next attempt.</summary>
    [Fact]
    public async Task CallOver_WhileItsHeadersAreFlushed_WriterIsTold()
    {
        using GrpcStreamContent content = new();
        Task<Stream> opened = content.Opened;

        await Assert.ThrowsAsync<OperationCanceledException>(() => content.CopyToAsync(new RefusedStream()));

        Assert.IsType<OperationCanceledException>((await Assert.ThrowsAsync<IOException>(() => opened.WaitAsync(TimeSpan.FromSeconds(5)))).InnerException);
    }

    /// <summary>The stream of a request that the server has refused: as the handler does it, its flush is cancelled.</summary>
    private sealed class RefusedStream : MemoryStream
    {
        public override Task FlushAsync(CancellationToken cancellationToken) => throw new OperationCanceledException();
    }
}
