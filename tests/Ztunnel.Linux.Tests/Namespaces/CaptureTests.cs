using System.Net;
using Ztunnel.Linux.Namespaces;
using Ztunnel.Linux.Sockets;
using Ztunnel.Linux.Tests.Sockets;
using Ztunnel.Testing.Namespaces;

namespace Ztunnel.Linux.Tests.Namespaces;

/// <summary>Redirected connections, addresses of others and the hand-over of a port, with the kernel's real packet filter.</summary>
[Collection(nameof(ListenerSocketTests))]
public class CaptureTests
{
    private const uint Mark = 0x539;
    private const int CapturePort = 15_001;

    private static readonly SocketSettings PodSettings = new() { Mark = Mark, ReusePort = true };

    [NamespaceTheory]
    [InlineData("iptables", "10.77.1.2")]
    [InlineData("ip6tables", "fd00:77::99")]
    public async Task ReadOriginalDestination_OfARedirectedConnection_IsWhereItWasGoing(string filter, string address)
    {
        using TestNamespace pod = TestNamespace.Create("redirect");
        var destination = new IPEndPoint(IPAddress.Parse(address), 8080);
        AddLocalAddress(pod, address);
        pod.Run(filter, "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "-m", "mark", "!", "--mark", "0x539/0xfff", "-j", "REDIRECT", "--to-ports", "15001");
        using NetworkNamespace podNamespace = NetworkNamespace.Open(pod.Path);
        var marked = new SocketFactory(podNamespace, PodSettings);
        var unmarked = new SocketFactory(podNamespace, PodSettings with { Mark = null });
        using var fixture = new LoopFixture();
        var handler = new AcceptingHandler();
        using ListenerSocket listener = ListenerSocket.Start(marked.OpenWildcardListener(CapturePort, ListenerKind.Workload), fixture.Loops, handler);

        ConnectResult captured = await ConnectAsync(fixture, unmarked, destination);
        Assert.Equal(Errno.None, captured.Error);
        await handler.WaitForAsync(1);
        OriginalDestinationResult original = handler.Sockets.Single().ReadOriginalDestination();
        Assert.Equal(new OriginalDestinationResult(destination, Errno.None), original);

        // What carries the mark is ours and passes: nobody listens there.
        Assert.Equal(Errno.ECONNREFUSED, (await ConnectAsync(fixture, marked, destination)).Error);
    }

    [NamespaceTheory]
    [InlineData("10.78.0.1", "10.200.3.4", false)]
    [InlineData("fd00:78::1", "fd00:200::4", true)]
    public async Task BindSpoofed_WithAClientsAddress_IsWhatTheApplicationSees(string own, string client, bool isIPv6)
    {
        using TestNamespace pod = TestNamespace.Create("spoof");
        AddLocalAddress(pod, own);
        string family = isIPv6 ? "-6" : "-4";
        pod.Run("ip", family, "route", "add", "local", "default", "dev", "lo", "table", "100");
        pod.Run("ip", family, "rule", "add", "fwmark", "0x539/0xfff", "lookup", "100");
        using NetworkNamespace podNamespace = NetworkNamespace.Open(pod.Path);
        var factory = new SocketFactory(podNamespace, PodSettings);
        using var fixture = new LoopFixture();
        var application = new AcceptingHandler();
        var listen = new IPEndPoint(IPAddress.Parse(own), 8080);
        using ListenerSocket listener = ListenerSocket.Start(factory.OpenListener(listen, ListenerKind.Plain), fixture.Loops, application);
        Assert.False(listener.IsTransparent);
        var source = IPAddress.Parse(client);

        ConnectResult connected = await fixture.OnLoop(loop =>
        {
            SocketHandle handle = factory.OpenTcp(source.AddressFamily);
            Assert.Equal(new SpoofResult(true, null, Errno.None), factory.BindSpoofed(handle, source, SpoofedPort.Choose()));
            return LoopSocket.ConnectAsync(loop, handle, listen, LoopFixture.Limit, CancellationToken.None).AsTask();
        });

        Assert.Equal(Errno.None, connected.Error);
        await application.WaitForAsync(1);
        IPEndPoint seen = application.Sockets.Single().RemoteEndPoint;
        Assert.Equal(source, seen.Address);
        Assert.InRange(seen.Port, SpoofedPort.Lowest, SpoofedPort.Highest);
    }

    [NamespaceFact]
    public async Task StopAccepting_WhileASuccessorListensOnTheSamePort_LosesNoConnection()
    {
        const int Clients = 400;
        using TestNamespace pod = TestNamespace.Create("handover");
        using NetworkNamespace podNamespace = NetworkNamespace.Open(pod.Path);
        Assert.Equal(Errno.None, podNamespace.WriteSetting("ipv4/tcp_migrate_req", "1"));
        var factory = new SocketFactory(podNamespace, PodSettings);
        using var fixture = new LoopFixture(loops: 2);
        var old = new AcceptingHandler();
        var young = new AcceptingHandler();
        ListenerSocket first = ListenerSocket.Start(factory.OpenWildcardListener(CapturePort, ListenerKind.Workload), fixture.Loops, old);
        using ListenerSocket second = ListenerSocket.Start(factory.OpenWildcardListener(CapturePort, ListenerKind.Workload), fixture.Loops, young);
        var destination = new IPEndPoint(IPAddress.Loopback, CapturePort);

        Task<ConnectResult[]> connecting = Task.WhenAll(Enumerable.Range(0, Clients).Select(_ => ConnectAsync(fixture, factory, destination)));
        await old.WaitForAsync(1);
        await first.StopAccepting().WaitAsync(LoopFixture.Limit);
        ConnectResult[] connected = await connecting.WaitAsync(LoopFixture.Limit);

        Assert.All(connected, result => Assert.Equal(Errno.None, result.Error));
        await young.WaitForAsync(Clients - old.Sockets.Count);
        Assert.All(connected, result => Assert.False(result.Socket!.PeerHungUp, "a connection was reset"));
    }

    private static Task<ConnectResult> ConnectAsync(LoopFixture fixture, SocketFactory factory, IPEndPoint destination) => fixture.OnLoop(loop =>
        LoopSocket.ConnectAsync(loop, factory.OpenTcp(destination.AddressFamily), destination, LoopFixture.Limit, CancellationToken.None).AsTask());

    private static void AddLocalAddress(TestNamespace pod, string address)
    {
        if (address.Contains(':'))
        {
            pod.Run("ip", "address", "add", address + "/128", "dev", "lo", "nodad");
        }
        else
        {
            pod.Run("ip", "address", "add", address + "/32", "dev", "lo");
        }
    }
}
