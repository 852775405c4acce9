using Google.Protobuf;
using Ztunnel.Istiod.Server;
using Ztunnel.Protos.Discovery;

namespace Ztunnel.Istiod.Ads;

/// <summary>The server's side of one xDS stream, played by hand.</summary>
public sealed class XdsPeer
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private readonly GrpcCall _call;
    private readonly TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal XdsPeer(GrpcCall call)
    {
        _call = call;
        call.Aborted.Register(() => _over.TrySetResult());
    }

    /// <summary>Completes when the stream ended, from whichever side.</summary>
    public Task Over => _over.Task;

    public string? Header(string name) => _call.Header(name);

    public async Task<DeltaDiscoveryRequest> ReceiveAsync() =>
        await _call.ReadAsync(DeltaDiscoveryRequest.Parser).WaitAsync(Limit) ?? throw new InvalidOperationException("the client has ended its stream");

    /// <summary>Takes both requests that open a stream.</summary>
    public async Task<(DeltaDiscoveryRequest Address, DeltaDiscoveryRequest Authorization)> ReceiveOpeningAsync() => (await ReceiveAsync(), await ReceiveAsync());

    /// <summary>Sends a response and takes the answer to it.</summary>
    public async Task<DeltaDiscoveryRequest> ExchangeAsync(DeltaDiscoveryResponse response)
    {
        await SendAsync(response);
        DeltaDiscoveryRequest answer = await ReceiveAsync();
        if (response.Nonce != answer.ResponseNonce || response.TypeUrl != answer.TypeUrl)
            throw new InvalidOperationException($"expected an answer to {response.TypeUrl}, {response.Nonce}; got {answer}");
        return answer;
    }

    public Task SendAsync(IMessage response) => _call.WriteAsync(response).WaitAsync(Limit);

    /// <summary>Ends the stream with a status.</summary>
    public void End(int status = 0, string? message = null)
    {
        _call.End(status, message);
        _over.TrySetResult();
    }

    /// <summary>Resets the stream.</summary>
    public void Abort() => _call.Http.Abort();
}
