using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Ztunnel.Http2;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.Identity;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Hbone;
using Ztunnel.Testing;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Handshake;

namespace Ztunnel.Proxy.Tests.Support;

/// <summary>
/// Two ends of one real tunnel on one loop: TCP over loopback, mutual TLS, HTTP/2. Every stream joins two socket pairs, whose far ends the test holds as plain sockets:
/// <code>client application ─ tunnel (client role) ═ tunnel (server role) ─ server application</code>
/// </summary>
internal sealed class TunnelPair : IDisposable
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private static readonly SpiffeId Client = new("cluster.local", "default", "client");
    private static readonly SpiffeId Server = new("cluster.local", "default", "server");

    private readonly LoopGroup _loops;
    private readonly ConcurrentQueue<Exception> _unhandled;
    private readonly ServerOwner _serverOwner;
    private readonly ProxySettings _settings;
    private readonly TestAuthority _authority = TestAuthority.Create();
    private LoopSocket _serverSocket = null!;

    private TunnelPair(LoopGroup loops, ConcurrentQueue<Exception> unhandled, ProxySettings settings)
    {
        _settings = settings;
        _loops = loops;
        _unhandled = unhandled;
        _serverOwner = new ServerOwner(this);
    }

    public EventLoop Loop => _loops.Loops[0];

    public HboneConnection ClientTunnel { get; private set; } = null!;

    public HboneConnection ServerTunnel { get; private set; } = null!;

    public static async Task<TunnelPair> ConnectAsync(Nesting nesting = Nesting.None, ProxySettings? settings = null)
    {
        var unhandled = new ConcurrentQueue<Exception>();
        var pair = new TunnelPair(LoopGroup.Start(1, unhandled.Enqueue), unhandled, settings ?? new ProxySettings());
        await pair.OnLoopAsync(pair.ConnectSocketsAsync);
        if (nesting != Nesting.None)
            await pair.OnLoopAsync(() => pair.NestAsync(throughGateway: nesting == Nesting.ThroughGateway));
        return pair;
    }

    /// <summary>Breaks the connection of the (outer) tunnel.</summary>
    public Task<bool> BreakAsync() => OnLoopAsync(() =>
    {
        _serverSocket.CloseWithReset();
        return true;
    });

    /// <summary>Opens a stream through the tunnel; the two sockets returned are the applications.</summary>
    /// <param name="clientBufferBytes">What the kernel may keep for the client's application; null: what it likes.</param>
    public async Task<StreamPair> OpenStreamAsync(int? clientBufferBytes = null)
    {
        (Socket client, SocketHandle clientSide) = ConnectedPair(clientBufferBytes);
        (Socket server, SocketHandle serverSide) = ConnectedPair();
        var owner = new StreamOwner();
        var serverOwner = new StreamOwner();
        await OnLoopAsync(async () =>
        {
            _serverOwner.Expect(serverSide, serverOwner);
            TunnelStream stream = ClientTunnel.OpenStream(new TunnelRequest("127.0.0.1:80", "", "for=\"127.0.0.1:1\"", "00-0-0-00"), owner)!;
            owner.Stream = stream;
            await owner.Answered.Task;
            stream.Attach(LoopSocket.Attach(Loop, clientSide));
            return true;
        });
        return new StreamPair(client, server, owner, serverOwner);
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
        return await done.Task.WaitAsync(Limit);
    }

    public Task<T> OnLoopAsync<T>(Func<T> function) => OnLoopAsync(() => Task.FromResult(function()));

    public void Dispose()
    {
        _loops.Dispose();
        Assert.Empty(_unhandled);
    }

    /// <summary>A connected TCP pair: one end for the test, the other for a loop.</summary>
    public static (Socket Test, SocketHandle Loop) ConnectedPair(int? bufferBytes = null)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(1);
        var test = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        test.Connect(listener.LocalEndPoint!);
        using Socket accepted = listener.Accept();
        accepted.Blocking = false;
        accepted.NoDelay = true;
        if (bufferBytes is { } bytes)
            test.ReceiveBufferSize = accepted.SendBufferSize = bytes;
        // The loop owns a descriptor of its own; the socket object closes the original.
        return (test, new SocketHandle(NativeDescriptor.Duplicate(accepted), AddressFamily.InterNetwork));
    }

    private async Task<bool> ConnectSocketsAsync()
    {
        (SocketHandle clientHandle, SocketHandle serverHandle) = LoopPair();
        _serverSocket = LoopSocket.Attach(Loop, serverHandle);
        await HandshakeAsync(new SocketTransport(LoopSocket.Attach(Loop, clientHandle)), new SocketTransport(_serverSocket));
        return true;
    }

    /// <summary>Opens a stream, and in it a second pair of tunnel ends: <see cref="ClientTunnel"/> and <see cref="ServerTunnel"/> from now on.</summary>
    private async Task<bool> NestAsync(bool throughGateway)
    {
        var owner = new StreamOwner();
        SocketHandle? farEnd = null;
        if (throughGateway)
        {
            (SocketHandle nearEnd, farEnd) = LoopPair();
            _serverOwner.Expect(nearEnd, new StreamOwner());
        }

        TunnelStream stream = ClientTunnel.OpenStream(new TunnelRequest("service.example:80", "", "for=\"127.0.0.1:1\"", "00-0-0-00"), owner)!;
        await owner.Answered.Task;
        var client = new StreamTransport(stream);
        stream.Attach(client);
        ITunnelTransport server = farEnd is null ? _serverOwner.Direct! : new SocketTransport(LoopSocket.Attach(Loop, farEnd));
        await HandshakeAsync(client, server);
        return true;
    }

    private async Task HandshakeAsync(ITunnelTransport clientTransport, ITunnelTransport serverTransport)
    {
        WorkloadCertificate client = _authority.IssueWorkload(Client);
        WorkloadCertificate server = _authority.IssueWorkload(Server);
        var gate = new HandshakeGate(Loop);
        Task<HandshakeResult> serverSide = HandshakePump.RunAsync(serverTransport, TlsHandshake.StartServer(server), gate, Limit).AsTask();
        HandshakeResult clientResult = await HandshakePump.RunAsync(clientTransport, TlsHandshake.StartClient(client, [Server]), gate, Limit);
        HandshakeResult serverResult = await serverSide;
        Assert.True(clientResult.Succeeded, clientResult.Outcome.Error);
        Assert.True(serverResult.Succeeded, serverResult.Outcome.Error);

        var deliveries = new DeliveryBatch();
        var settings = new HboneHttp2(_settings, loops: 1);
        ClientTunnel = Start(clientTransport, clientResult, Http2Role.Client, settings.Client, deliveries, new ClientOwner());
        ServerTunnel = Start(serverTransport, serverResult, Http2Role.Server, settings.Server, deliveries, _serverOwner);
    }

    private static HboneConnection Start(ITunnelTransport transport, in HandshakeResult handshake, Http2Role role, Http2Settings settings, DeliveryBatch deliveries, ITunnelOwner owner)
    {
        var tunnel = new HboneConnection(transport, handshake.Session!, role, settings, deliveries, owner);
        tunnel.Start(handshake);
        return tunnel;
    }

    private static (SocketHandle One, SocketHandle Other) LoopPair()
    {
        (Socket test, SocketHandle other) = ConnectedPair();
        test.Blocking = false;
        var one = new SocketHandle(NativeDescriptor.Duplicate(test), AddressFamily.InterNetwork);
        test.Dispose();
        return (one, other);
    }

    private sealed class ClientOwner : ITunnelOwner
    {
        public void OnRequest(HboneConnection tunnel, Http2Stream stream, in Http2Request request) => throw new InvalidOperationException("a server asked a client for a stream");

        public void OnCapacityChanged(HboneConnection tunnel)
        {
        }

        public void OnClosed(HboneConnection tunnel, ConnectionOutcome cause)
        {
        }
    }

    private sealed class ServerOwner(TunnelPair pair) : ITunnelOwner
    {
        private readonly Queue<(SocketHandle Application, StreamOwner Owner)> _expected = new();

        /// <summary>The transport in the last stream for which no application was expected.</summary>
        public StreamTransport? Direct { get; private set; }

        public void Expect(SocketHandle application, StreamOwner owner) => _expected.Enqueue((application, owner));

        public void OnRequest(HboneConnection tunnel, Http2Stream stream, in Http2Request request)
        {
            (SocketHandle? application, StreamOwner owner) = _expected.TryDequeue(out (SocketHandle Application, StreamOwner Owner) expected) ? expected : (null, new StreamOwner());
            TunnelStream adopted = tunnel.Adopt(stream, owner);
            owner.Stream = adopted;
            stream.Respond(200, baggage: null, endStream: false);
            tunnel.Sender.Schedule();
            if (application is not null)
            {
                adopted.Attach(LoopSocket.Attach(pair.Loop, application));
                return;
            }

            Direct = new StreamTransport(adopted);
            adopted.Attach(Direct);
        }

        public void OnCapacityChanged(HboneConnection tunnel)
        {
        }

        public void OnClosed(HboneConnection tunnel, ConnectionOutcome cause)
        {
        }
    }
}

/// <summary>Whether a tunnel runs inside a stream of another one, and how its far end is reached.</summary>
public enum Nesting
{
    None,

    /// <summary>A gateway ends the outer tunnel and passes the bytes on over a socket, cut anywhere.</summary>
    ThroughGateway,

    /// <summary>The far end lies in the outer tunnel's stream, too: records arrive as they were written.</summary>
    Direct,
}

/// <summary>The two applications of one stream, and what the two proxies said about it.</summary>
internal sealed record StreamPair(Socket Client, Socket Server, StreamOwner ClientSide, StreamOwner ServerSide) : IDisposable
{
    public void Dispose()
    {
        Client.Dispose();
        Server.Dispose();
    }
}

/// <summary>Records what happens to one end of a stream.</summary>
internal sealed class StreamOwner : ITunnelStreamOwner
{
    private long _toTunnel;
    private long _toApplication;

    public TaskCompletionSource<int> Answered { get; } = new();

    public TaskCompletionSource<ConnectionOutcome> Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public TunnelStream? Stream { get; set; }

    public long ToTunnel => Interlocked.Read(ref _toTunnel);

    public long ToApplication => Interlocked.Read(ref _toApplication);

    public void OnResponse(TunnelStream stream, in Http2Response response) => Answered.TrySetResult(response.Status);

    public void OnTransferred(int toTunnel, int toApplication)
    {
        Interlocked.Add(ref _toTunnel, toTunnel);
        Interlocked.Add(ref _toApplication, toApplication);
    }

    public void OnEnded(TunnelStream stream, ConnectionOutcome outcome) => Ended.TrySetResult(outcome);
}
