using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Ztunnel.ControlPlane.LocalFile;
using Ztunnel.Dns.Forwarding;
using Ztunnel.Dns.Serving;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.State;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Dns.Tests.Serving;

/// <summary>DNS of one pod on loopback, with the recorded mesh and resolvers of the test's own.</summary>
internal sealed class DnsBench : IAsyncDisposable
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private readonly LoopGroup _loops = LoopGroup.Start(1);
    private readonly DnsProxy _proxy;

    public DnsBench(ResolverConfiguration resolver, IMeshStore? mesh = null, IPAddress? address = null, bool sharesResolverFile = false, string[]? controlPlaneHosts = null)
    {
        Resolver = new ResolverSource(resolver);
        Registry = new MetricRegistry(new MetricSettings { Loops = 1 }, TimeProvider.System);
        var context = new DnsContext
        {
            Loops = _loops,
            Mesh = mesh ?? RecordedMesh(),
            Metrics = new DnsMetrics(Registry),
            Settings = new DnsSettings { Address = new IPEndPoint(address ?? IPAddress.Loopback, 0), SharesResolverFile = sharesResolverFile, ControlPlaneHosts = controlPlaneHosts ?? [] },
            Resolver = Resolver,
            Logs = NullLoggerFactory.Instance,
        };
        _proxy = Bind(context);
        _proxy.Serve();
    }

    public MetricRegistry Registry { get; }

    public ResolverSource Resolver { get; }

    public IPEndPoint Address => _proxy.EndPoints[0];

    public static MeshStore RecordedMesh(bool isSynced = true)
    {
        var store = new MeshStore();
        using StreamReader text = File.OpenText(Path.Combine(AppContext.BaseDirectory, "Reference", "mesh.yaml"));
        LocalMesh mesh = LocalFileReader.Read(text, "mesh.yaml");
        store.Replace(new MeshUpdate { Workloads = [.. mesh.Workloads], Services = [.. mesh.Services] });
        if (isSynced)
            store.MarkSynced();
        return store;
    }

    public async Task<byte[]> AskAsync(byte[] query)
    {
        using Socket socket = Connect();
        await socket.SendAsync(query);
        byte[] answer = new byte[65_535];
        using var limit = new CancellationTokenSource(Limit);
        return answer[..await socket.ReceiveAsync(answer, limit.Token)];
    }

    public async Task<byte[]> AskStreamAsync(byte[] query)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(Address);
        await client.GetStream().WriteAsync(Framed(query));
        return await ReadFrameAsync(client.GetStream());
    }

    /// <summary>A datagram socket that hears from our port only.</summary>
    public Socket Connect()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Connect(Address);
        return socket;
    }

    public static byte[] Framed(byte[] message)
    {
        byte[] framed = new byte[2 + message.Length];
        BinaryPrimitives.WriteUInt16BigEndian(framed, (ushort)message.Length);
        message.CopyTo(framed, 2);
        return framed;
    }

    public static async Task<byte[]> ReadFrameAsync(Stream stream)
    {
        using var limit = new CancellationTokenSource(Limit);
        byte[] length = new byte[2];
        await stream.ReadExactlyAsync(length, limit.Token);
        byte[] message = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
        await stream.ReadExactlyAsync(message, limit.Token);
        return message;
    }

    // The port the kernel chooses for TCP may be taken for UDP.
    private static DnsProxy Bind(DnsContext context)
    {
        while (true)
        {
            try
            {
                return DnsProxy.Bind(context, new LocalWorkloadKey("a", "default", "a"), new SocketFactory(pod: null, new SocketSettings()));
            }
            catch (Linux.LinuxException taken) when (taken.Error == Errno.EADDRINUSE)
            {
                continue;
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.StopAsync();
        _loops.Dispose();
    }
}
