using System.Collections.Concurrent;
using System.Net;
using System.Threading.Channels;
using Ztunnel.ControlPlane.Grpc;
using Ztunnel.Istiod.Ads;
using Ztunnel.Istiod.Ca;
using Ztunnel.Istiod.Identity;
using Ztunnel.Istiod.Mesh;
using Ztunnel.Istiod.Server;
using Ztunnel.Mesh.State;
using Ztunnel.Protos.Citadel;
using Ztunnel.Protos.Discovery;

namespace Ztunnel.Istiod;

/// <summary>
/// A control plane for tests and demonstrations that speaks istiod's protocol: delta ADS and certificates over TLS. It serves a mesh by itself, misbehaving as its <see cref="Script"/> says; or a test accepts each
/// stream and plays it by hand.
/// </summary>
public sealed class IstiodServer : IAsyncDisposable
{
    private const int Unauthenticated = 16;
    private const string CertificatePath = "/istio.v1.auth.IstioCertificateService/CreateCertificate";
    private const string StreamPath = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private readonly Channel<XdsPeer> _peers = System.Threading.Channels.Channel.CreateUnbounded<XdsPeer>();
    private readonly Channel<DeltaDiscoveryRequest> _requests = System.Threading.Channels.Channel.CreateUnbounded<DeltaDiscoveryRequest>();
    private readonly ConcurrentDictionary<AdsStream, bool> _streams = new();
    private volatile MeshResources? _resources;
    private GrpcServer? _server;

    public GrpcServer Server => _server!;

    public Script Script { get; } = new();

    /// <summary>Answers CreateCertificate by hand, before any check.</summary>
    public Func<GrpcCall, IstioCertificateRequest, Task>? Certificates { get; init; }

    /// <summary>Signs where <see cref="Certificates"/> is not given.</summary>
    public CertificateService Authority { get; init; } = new(TimeProvider.System);

    /// <summary>Checks the tokens of callers; null: everybody may do everything.</summary>
    public TokenAuthority? Tokens { get; init; }

    /// <summary>The mesh that is served; a change is pushed to every stream. While it is null, streams are played by hand.</summary>
    public MeshSnapshot Mesh
    {
        set
        {
            _resources = MeshResources.From(value);
            foreach (AdsStream stream in _streams.Keys) stream.OnMeshChanged();
        }
    }

    internal MeshResources Resources => _resources ?? MeshResources.Empty;

    /// <summary>Streams that are open and served.</summary>
    public int OpenStreams => _streams.Count;

    /// <summary>What a client of this server needs to know.</summary>
    public GrpcChannelSettings Channel => new() { Address = Server.Address, Roots = TrustRoots.Parse(Server.Certificates.RootPem) };

    public async Task<IstiodServer> StartAsync(int port = 0, ServerCertificates? certificates = null, IPAddress? address = null)
    {
        _server = await GrpcServer.StartAsync(AnswerAsync, port: port, certificates: certificates, address: address);
        return this;
    }

    /// <summary>The next xDS stream that a client opens, to be played by hand.</summary>
    public async Task<XdsPeer> AcceptAsync() => await _peers.Reader.ReadAsync().AsTask().WaitAsync(Limit);

    /// <summary>The next request that a served stream has taken, and every one before the one that is wanted.</summary>
    public async Task<DeltaDiscoveryRequest> WaitForRequestAsync(Func<DeltaDiscoveryRequest, bool> wanted)
    {
        using CancellationTokenSource limit = new(Limit);
        while (true)
        {
            DeltaDiscoveryRequest request = await _requests.Reader.ReadAsync(limit.Token);
            if (wanted(request)) return request;
        }
    }

    /// <summary>Resets every served stream.</summary>
    public void Disconnect()
    {
        foreach (AdsStream stream in _streams.Keys) stream.Abort();
    }

    /// <summary>Ends every served stream in order.</summary>
    public void Recycle()
    {
        foreach (AdsStream stream in _streams.Keys) stream.Recycle();
    }

    public async ValueTask DisposeAsync()
    {
        Script.Release();
        if (_server is not null) await _server.DisposeAsync();
    }

    internal void Record(DeltaDiscoveryRequest request) => _requests.Writer.TryWrite(request);

    private async Task AnswerAsync(GrpcCall call)
    {
        try
        {
            switch (call.Path)
            {
                case CertificatePath: await SignAsync(call); break;
                case StreamPath: await ServeAsync(call); break;
                default: throw new GrpcRefusal(12, $"unknown method {call.Path}");
            }
        }
        catch (GrpcRefusal refusal)
        {
            call.End(refusal.Code, refusal.Message);
        }
        catch (Exception) when (call.Aborted.IsCancellationRequested)
        {
            // The client has gone, or was cut off: nobody is left to be told.
        }
    }

    private async Task SignAsync(GrpcCall call)
    {
        if (await call.ReadAsync(IstioCertificateRequest.Parser) is not { } request) return;
        if (Certificates is { } byHand)
        {
            await byHand(call, request);
            return;
        }

        await Script.WaitAsync(call.Aborted);
        Refuse(Script.RefuseCertificates);
        IstioCertificateResponse response = Authority.Sign(request, Authenticate(call), Resources.HasAccount, Script.WrongIdentity);
        await call.WriteAsync(Script.TamperCertificates?.Invoke(response) ?? response);
        call.End(0);
    }

    private async Task ServeAsync(GrpcCall call)
    {
        if (_resources is null)
        {
            XdsPeer peer = new(call);
            await _peers.Writer.WriteAsync(peer);
            await peer.Over;
            return;
        }

        Refuse(Script.RefuseStreams);
        TokenClaims? caller = Authenticate(call);
        AdsStream stream = new(call, this);
        _streams[stream] = true;
        try
        {
            await stream.ServeAsync(caller);
            call.End(0);
        }
        finally
        {
            _streams.TryRemove(stream, out _);
        }
    }

    private TokenClaims? Authenticate(GrpcCall call)
    {
        if (Tokens is null) return null;
        return Tokens.Check(call.Header("authorization"), out string reason) ?? throw new GrpcRefusal(Unauthenticated, $"authentication failure: {reason}");
    }

    private static void Refuse(Refusal? refusal)
    {
        if (refusal is not null) throw new GrpcRefusal(refusal.Code, refusal.Message);
    }
}
