using System.Net;
using System.Net.Sockets;
using Ztunnel.Endurance.Load;
using Ztunnel.Linux.Namespaces;
using Ztunnel.Linux.Sockets;
using Ztunnel.Testing.Namespaces;

namespace Ztunnel.Endurance.Network;

/// <summary>A namespace on the bridge and the sockets in it. They are made inside by raw system calls and used from home, so that one process is all applications of the mesh and knows what each of them should get.</summary>
internal sealed class SoakPod : IDisposable
{
    public const int Port = 8080;

    private readonly TestNamespace _bridge;
    private readonly NetworkNamespace _network;
    private readonly SocketFactory _sockets;
    private Application? _application;

    public SoakPod(string name, string node, string address, TestNamespace bridge)
    {
        _bridge = bridge;
        Name = name;
        Node = node;
        Address = IPAddress.Parse(address);
        Namespace = TestNamespace.Create($"k{name}");
        string device = $"k-{name}";
        Namespace.ConnectTo(bridge, "eth0", device, [$"{address}/16"], []);
        bridge.Run("ip", "link", "set", device, "master", "br0");
        // Addresses of services are captured on their way out, so there must be a way out.
        Namespace.Run("ip", "route", "add", "default", "via", SoakNetwork.BridgeAddress);
        // Hundreds of short connections a second between few addresses: their ports are free again at once.
        Namespace.Run("sysctl", "-q", "-w", "net.ipv4.tcp_tw_reuse=1", "net.ipv4.ip_local_port_range=20000 65000");
        _network = NetworkNamespace.Open(Namespace.Path);
        _sockets = new SocketFactory(_network, new SocketSettings());
    }

    public string Name { get; }

    /// <summary>Empty: outside of the mesh.</summary>
    public string Node { get; }

    public IPAddress Address { get; }

    public TestNamespace Namespace { get; }

    public Target Target => new(Name, new IPEndPoint(Address, Port));

    public Socket OpenTcp() => Adopt(_sockets.OpenTcp(AddressFamily.InterNetwork));

    public Socket OpenUdp() => Adopt(_sockets.OpenUdp(AddressFamily.InterNetwork));

    public void StartApplication(Tally tally) => _application = new Application(Name, Adopt(_sockets.OpenListener(new IPEndPoint(IPAddress.Any, Port), ListenerKind.Plain)), tally);

    public async Task StopApplicationAsync()
    {
        if (_application is not null)
            await _application.DisposeAsync();
        _application = null;
    }

    public void Dispose()
    {
        // The kernel takes its time for a namespace; the next pod of this name needs the device's name now.
        _bridge.TryRun("ip", "link", "delete", $"k-{Name}");
        _network.Dispose();
        Namespace.Dispose();
    }

    private static Socket Adopt(SocketHandle handle) => new(new SafeSocketHandle(handle.Release(), ownsHandle: true));
}
