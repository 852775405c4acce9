using System.Net;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Ztunnel.Http2;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Propagation;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Hbone;
using Ztunnel.Proxy.Outbound;
using Ztunnel.Proxy.Telemetry;
using Ztunnel.Telemetry.Logging;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Testing;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Revocation;

namespace Ztunnel.Proxy.Tests.Support;

/// <summary>The tunnel pool of one pod on one loop, and a peer on loopback that behaves as the test says.</summary>
internal sealed class PoolRig : IAsyncDisposable
{
    private static readonly SpiffeId Local = new("cluster.local", "default", "client");
    private static readonly SpiffeId Remote = new("cluster.local", "default", "server");

    private readonly LoopGroup _loops = LoopGroup.Start(1);
    private readonly LogSink _sink = new(Stream.Null, new LogSinkSettings(), TimeProvider.System);
    private readonly ProxyContext _context;
    private readonly ListenerSocket _listener;
    private readonly PeerBehaviour _peer;
    private readonly MetricRegistry _metrics = new(new MetricSettings { Loops = 1 }, TimeProvider.System);

    private readonly TestAuthority _authority = TestAuthority.Create();
    private WorkloadCertificate _own;

    public PoolRig(
        SetUpLimits limits, bool answersTls, int maxStreams = 200, Action<string>? keyLog = null, TimeSpan? maxAge = null, CertificateProvider? certificates = null,
        HostLookups? lookups = null, TimeProvider? time = null, ILoggerFactory? logs = null)
    {
        _own = _authority.IssueWorkload(Local, new TlsSettings { Revocations = Revocations, KeyLog = keyLog });
        IssuedCertificate remote = _authority.Issue(Remote.ToString());
        RevokesPeer = RevocationSet.Read(_authority.Revoke([remote.Leaf]));
        var store = new MeshStore();
        store.Replace(new MeshUpdate { Workloads = { new Workload { Uid = "c//Pod/default/client", Name = "client", Traits = new WorkloadTraits { Identity = Local } } } });
        _context = new ProxyContext
        {
            Loops = _loops,
            Mesh = store,
            Certificates = certificates ?? ((_, _) => ValueTask.FromResult(_own)),
            Traffic = new TrafficMetrics(_metrics),
            Tunnels = new TunnelMetrics(_metrics),
            Access = new AccessLog(_sink, new LogLevels(LogFilter.Default)),
            Settings = new ProxySettings { SetUp = limits, PoolMaxAge = maxAge ?? TimeSpan.FromHours(1) },
            Routing = new RoutingContext(),
            Revocations = Revocations,
            Logs = logs ?? NullLoggerFactory.Instance,
            Lookups = lookups ?? new HostLookups(),
            Time = time ?? TimeProvider.System,
        };
        var sockets = new SocketFactory(pod: null, new SocketSettings());
        var key = new LocalWorkloadKey("client", "default", "client");
        Pool = new HbonePool(new WorkloadLoop(new ProxyLoop(Loop, _context), new WorkloadContext(_context, key, sockets)));
        _peer = new PeerBehaviour(answersTls ? remote.ToWorkload(Remote) : null, maxStreams);
        _listener = ListenerSocket.Start(sockets.OpenListener(new IPEndPoint(IPAddress.Loopback, 0), ListenerKind.Plain), _loops, _peer);
    }

    public EventLoop Loop => _loops.Loops[0];

    public HbonePool Pool { get; }

    public Revocations Revocations { get; } = new();

    /// <summary>Lists that name the peer's certificate.</summary>
    public RevocationSet RevokesPeer { get; }

    /// <summary>What the loop knows of the tunnels it opened.</summary>
    public TunnelRoster Roster => Pool.Home.Proxy.ClientTunnels;

    /// <summary>Our certificate, as it is now.</summary>
    public WorkloadCertificate Own => _own;

    public IPEndPoint PeerAddress => _listener.LocalEndPoint;

    /// <summary>TCP connections the peer has seen.</summary>
    public int Accepted => _peer.Accepted;

    /// <summary>The lines of a scrape that begin so.</summary>
    public string[] Scrape(string prefix) => Scraped.Lines(_metrics, prefix);

    /// <summary>Opens a stream and waits until it is answered, or says why not.</summary>
    public async Task<OpenStreamResult> OpenAsync()
    {
        OpenStreamResult result = await OpenUnansweredAsync();
        if (result.Stream is not null)
            Assert.Equal(200, await ((StreamOwner)result.Stream.Owner).Answered.Task.WaitAsync(TunnelPair.Limit));
        return result;
    }

    /// <summary>Opens a stream, or says why not. Its answer is still to come.</summary>
    /// <param name="patience">How long it is waited for; null: for ever.</param>
    public Task<OpenStreamResult> OpenUnansweredAsync(TimeSpan? patience = null) => OnLoopAsync(async () =>
    {
        var request = new TunnelRequest("127.0.0.1:80", "", "for=\"127.0.0.1:1\"", "00-0-0-00");
        return await Pool.OpenStreamAsync(new TunnelKey(Local, _listener.LocalEndPoint, [Remote]), request, new StreamOwner(), patience is { } limit ? Loop.NowMilliseconds + (long)limit.TotalMilliseconds : long.MaxValue);
    });

    /// <summary>Connects through the peer as if it were a network gateway.</summary>
    public Task<HopResult> ConnectThroughPeerAsync() => OnLoopAsync(async () =>
    {
        Workload local = Pool.Home.Workload.FindOrAssume()!;
        // Past the mesh; all that makes a gateway of the destination is filled in.
        Route route = OutboundRouter.Route(_context.Mesh.Current, _context.Routing, local, IPAddress.Loopback, new OriginalDestination(PeerAddress), SystemRandom.Instance, Pool.Home.Proxy.Endpoints);
        NextHop gateway = route.First! with { Kind = RouteKind.DoubleHbone, Authority = "service.example:80", ExpectedIdentities = [Remote], InnerIdentities = [Remote] };
        var call = new OutboundCall(new IPEndPoint(IPAddress.Loopback, 1), local, route, TraceParent.Create(SystemRandom.Instance));
        return await new HopConnector(Pool.Home, call).ConnectAsync(gateway, Loop.NowMilliseconds + (long)TunnelPair.Limit.TotalMilliseconds);
    });

    /// <summary>Gives a stream up.</summary>
    public Task EndAsync(OpenStreamResult opened) => OnLoopAsync(() =>
    {
        opened.Stream!.Abort(Http2ErrorCode.Cancel, ConnectionOutcome.Drained);
        return Task.FromResult(true);
    });

    /// <summary>Our certificate is replaced, as the store does it at half of its life.</summary>
    public void RenewCertificate()
    {
        WorkloadCertificate old = _own;
        _own = _authority.IssueWorkload(Local);
        old.Supersede();
    }

    /// <summary>Turns of the loop until it is so.</summary>
    public async Task UntilAsync(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(TunnelPair.Limit);
        while (!await OnLoopAsync(() => Task.FromResult(condition())))
            limit.Token.ThrowIfCancellationRequested();
    }

    public async Task<T> OnLoopAsync<T>(Func<Task<T>> function)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        Loop.Post(async _ =>
        {
            try
            {
                done.SetResult(await function());
            }
            catch (Exception exception)
            {
                done.SetException(exception);
            }
        }, null);
        return await done.Task.WaitAsync(TunnelPair.Limit);
    }

    public async ValueTask DisposeAsync()
    {
        await _listener.StopAccepting();
        _loops.Dispose();
        await _sink.DisposeAsync();
    }

    /// <summary>Accepts every connection; then says nothing, or serves tunnels whose streams are all answered 200.</summary>
    private sealed class PeerBehaviour(WorkloadCertificate? certificate, int maxStreams) : IAcceptHandler, ITunnelOwner
    {
        private readonly List<LoopSocket> _sockets = [];
        private HandshakeGate? _gate;

        public int Accepted { get; private set; }

        public void OnAccepted(EventLoop loop, LoopSocket socket)
        {
            Accepted++;
            _sockets.Add(socket);
            _gate ??= new HandshakeGate(loop);
            if (certificate is not null)
                _ = ServeAsync(socket, certificate, _gate);
        }

        public void OnAcceptError(EventLoop loop, Errno error, AcceptBackoff backoff) => throw new InvalidOperationException($"accept: {error}");

        public void OnRequest(HboneConnection tunnel, Http2Stream stream, in Http2Request request)
        {
            tunnel.Adopt(stream, new StreamOwner());
            stream.Respond(200, baggage: null, endStream: false);
            tunnel.Sender.Schedule();
        }

        public void OnCapacityChanged(HboneConnection tunnel)
        {
        }

        public void OnClosed(HboneConnection tunnel, ConnectionOutcome cause)
        {
        }

        private async Task ServeAsync(LoopSocket socket, WorkloadCertificate own, HandshakeGate gate)
        {
            var transport = new SocketTransport(socket);
            HandshakeResult result = await HandshakePump.RunAsync(transport, TlsHandshake.StartServer(own), gate, TunnelPair.Limit);
            if (!result.Succeeded)
                return;
            Http2Settings settings = Http2Settings.ForServer with { MaxConcurrentStreams = maxStreams };
            var tunnel = new HboneConnection(transport, result.Session, Http2Role.Server, settings, new DeliveryBatch(), this);
            tunnel.Start(result);
        }
    }
}
