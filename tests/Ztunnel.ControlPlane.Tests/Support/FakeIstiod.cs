using System.Threading.Channels;
using Ztunnel.ControlPlane.Grpc;
using Ztunnel.Protos.Citadel;
using Ztunnel.Protos.Discovery;

namespace Ztunnel.ControlPlane.Tests.Support;

/// <summary>A control plane whose every word a test chooses: xDS streams are accepted and played by hand, certificate requests are answered by a function.</summary>
internal sealed class FakeIstiod : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private readonly Channel<XdsPeer> _streams = System.Threading.Channels.Channel.CreateUnbounded<XdsPeer>();
    private GrpcServer? _server;

    public GrpcServer Server => _server!;

    /// <summary>Answers CreateCertificate.</summary>
    public Func<GrpcCall, IstioCertificateRequest, Task>? Certificates { get; init; }

    /// <summary>What a client of this server needs to know.</summary>
    public GrpcChannelSettings Channel => new() { Address = Server.Address, Roots = TrustRoots.Parse(Server.Certificates.RootPem) };

    public async Task<FakeIstiod> StartAsync(int port = 0, ServerCertificates? certificates = null)
    {
        _server = await GrpcServer.StartAsync(ServeAsync, port: port, certificates: certificates);
        return this;
    }

    /// <summary>The next xDS stream that a client opens.</summary>
    public async Task<XdsPeer> AcceptAsync() => await _streams.Reader.ReadAsync().AsTask().WaitAsync(Limit);

    private async Task ServeAsync(GrpcCall call)
    {
        if (call.Path == "/istio.v1.auth.IstioCertificateService/CreateCertificate")
        {
            IstioCertificateRequest request = (await call.ReadAsync(IstioCertificateRequest.Parser))!;
            await Certificates!(call, request);
            return;
        }
        Assert.Equal("/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources", call.Path);
        XdsPeer peer = new(call);
        await _streams.Writer.WriteAsync(peer);
        await peer.Over;
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
    }
}

/// <summary>The server's side of one xDS stream.</summary>
internal sealed class XdsPeer
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private readonly GrpcCall _call;
    private readonly TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public XdsPeer(GrpcCall call)
    {
        _call = call;
        call.Aborted.Register(() => _over.TrySetResult());
    }

    /// <summary>Completes when the stream ended, from whichever side.</summary>
    public Task Over => _over.Task;

    public string? Header(string name) => _call.Header(name);

    public async Task<DeltaDiscoveryRequest> ReceiveAsync()
    {
        DeltaDiscoveryRequest? request = await _call.ReadAsync(DeltaDiscoveryRequest.Parser).WaitAsync(Limit);
        return Assert.IsType<DeltaDiscoveryRequest>(request);
    }

    /// <summary>Takes both requests that open a stream.</summary>
    public async Task<(DeltaDiscoveryRequest Address, DeltaDiscoveryRequest Authorization)> ReceiveOpeningAsync() => (await ReceiveAsync(), await ReceiveAsync());

    /// <summary>Sends a response and takes the answer to it.</summary>
    public async Task<DeltaDiscoveryRequest> ExchangeAsync(DeltaDiscoveryResponse response)
    {
        await SendAsync(response);
        DeltaDiscoveryRequest answer = await ReceiveAsync();
        Assert.Equal((response.Nonce, response.TypeUrl), (answer.ResponseNonce, answer.TypeUrl));
        return answer;
    }

    public Task SendAsync(DeltaDiscoveryResponse response) => _call.WriteAsync(response).WaitAsync(Limit);

    /// <summary>Ends the stream with a status.</summary>
    public void End(int status = 0, string? message = null)
    {
        _call.End(status, message);
        _over.TrySetResult();
    }

    /// <summary>Resets the stream.</summary>
    public void Abort() => _call.Http.Abort();
}
