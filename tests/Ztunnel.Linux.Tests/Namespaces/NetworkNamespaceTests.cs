using System.Net;
using System.Net.Sockets;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Namespaces;
using Ztunnel.Linux.Sockets;
using Ztunnel.Linux.Tests.Sockets;
using Ztunnel.Testing.Namespaces;

namespace Ztunnel.Linux.Tests.Namespaces;

[Collection(nameof(ListenerSocketTests))] // compares the namespaces of all threads: nothing else may enter one meanwhile
public class NetworkNamespaceTests
{
    private const uint Mark = 0x539;
    private const int Port = 15_001;

    private static readonly SocketSettings PodSettings = new() { Mark = Mark, ReusePort = true };

    [NamespaceFact]
    public void Require_AsRoot_Passes() => NamespacePermissions.Require(Mark);

    [NamespaceFact]
    public void Id_OfTwoDescriptors_IsThatOfTheNamespace()
    {
        using TestNamespace pod = TestNamespace.Create("id");
        using NetworkNamespace first = NetworkNamespace.Open(pod.Path);
        using NetworkNamespace second = NetworkNamespace.Open(pod.Path);

        Assert.Equal(first.Id, second.Id);
        Assert.NotEqual(NetworkNamespace.Home.Id, first.Id);
        Assert.EndsWith($"[{NetworkNamespace.Home.Id.Inode}]", File.ResolveLinkTarget("/proc/self/ns/net", returnFinalTarget: false)!.Name, StringComparison.Ordinal);
    }

    [NamespaceFact]
    public void Open_OfSomethingElse_SaysWhat()
    {
        LinuxException missing = Assert.Throws<LinuxException>(() => NetworkNamespace.Open("/run/netns/zt-does-not-exist"));
        Assert.Equal("open network namespace /run/netns/zt-does-not-exist: No such file or directory (os error 2)", missing.Message);
        LinuxException wrong = Assert.Throws<LinuxException>(() => NetworkNamespace.Open("/proc/self/ns/mnt"));
        Assert.StartsWith("/proc/self/ns/mnt is not a network namespace", wrong.Message, StringComparison.Ordinal);
    }

    [NamespaceFact]
    public async Task Listener_InAPod_IsReachedThereAndNotFromHome()
    {
        using TestNamespace pod = TestNamespace.Create("listen");
        using NetworkNamespace podNamespace = NetworkNamespace.Open(pod.Path);
        var factory = new SocketFactory(podNamespace, PodSettings);
        using var fixture = new LoopFixture(loops: 2);
        var handler = new AcceptingHandler();
        using ListenerSocket listener = ListenerSocket.Start(factory.OpenWildcardListener(Port, ListenerKind.Workload), fixture.Loops, handler);
        Assert.True(listener.IsTransparent);

        Assert.Equal(Errno.ECONNREFUSED, (await ConnectAsync(fixture, SocketPair.Home, IPAddress.Loopback)).Error);
        ConnectResult inside = await ConnectAsync(fixture, factory, IPAddress.Loopback);

        Assert.Equal(Errno.None, inside.Error);
        await handler.WaitForAsync(1);
        LoopSocket accepted = handler.Sockets.Single();
        Assert.True(accepted.Options.TryGetMark(out uint mark));
        Assert.Equal(Mark, mark);
    }

    /// <summary>A connection that waited for a certificate while its pod went: the descriptor's number may be another pod's namespace by then.</summary>
    [NamespaceFact]
    public void OpenTcp_NamespaceWasLetGo_IsRefusedWhateverItsNumberIsNow()
    {
        using TestNamespace pod = TestNamespace.Create("gone");
        var podNamespace = NetworkNamespace.Open(pod.Path);
        var factory = new SocketFactory(podNamespace, PodSettings);
        podNamespace.Dispose();
        // Takes the number, most likely.
        using NetworkNamespace next = NetworkNamespace.Open("/proc/self/ns/net");

        Assert.Throws<ObjectDisposedException>(() => factory.OpenTcp(AddressFamily.InterNetwork));
        Assert.Throws<ObjectDisposedException>(() => podNamespace.ReadSetting("ipv4/ip_forward"));
        Assert.Throws<ObjectDisposedException>(() => podNamespace.Run(static _ => true, state: 0));
        Assert.Throws<ObjectDisposedException>(() => podNamespace.DuplicateHandle());
    }

    [NamespaceFact]
    public async Task Entries_Many_LeaveEveryThreadAtHome()
    {
        using TestNamespace pod = TestNamespace.Create("home");
        using NetworkNamespace podNamespace = NetworkNamespace.Open(pod.Path);
        var factory = new SocketFactory(podNamespace, PodSettings);
        using var fixture = new LoopFixture(loops: 2);
        string home = File.ResolveLinkTarget("/proc/self/ns/net", returnFinalTarget: false)!.Name;

        for (int entry = 0; entry < 200; entry++)
        {
            EventLoop loop = fixture.Loops.Next();
            await LoopFixture.On(loop, _ =>
            {
                factory.OpenTcp(AddressFamily.InterNetwork).Dispose();
                return Task.FromResult(true);
            });
            Assert.NotNull(podNamespace.ReadSetting("ipv4/conf/lo/forwarding"));
            await Task.Run(static () => { }); // pool threads come and go meanwhile
        }

        foreach (string task in Directory.GetDirectories("/proc/self/task"))
        {
            Assert.Equal(home, NamespaceOfThread(task) ?? home);
        }
    }

    [NamespaceFact]
    public void Settings_OfAPod_AreItsOwn()
    {
        using TestNamespace pod = TestNamespace.Create("sysctl");
        using NetworkNamespace podNamespace = NetworkNamespace.Open(pod.Path);
        string? atHome = NetworkNamespace.Home.ReadSetting("ipv4/ip_local_port_range");

        Assert.Equal(Errno.None, podNamespace.WriteSetting("ipv4/ip_local_port_range", "20000 20099"));

        Assert.Equal("20000\t20099", podNamespace.ReadSetting("ipv4/ip_local_port_range"));
        Assert.Equal(atHome, NetworkNamespace.Home.ReadSetting("ipv4/ip_local_port_range"));
        Assert.Null(podNamespace.ReadSetting("ipv4/no_such_setting"));
        Assert.Equal(Errno.ENOENT, podNamespace.WriteSetting("ipv4/no_such_setting", "1"));
        Assert.Throws<ArgumentException>(() => podNamespace.ReadSetting("../../etc/passwd"));
    }

    [NamespaceFact]
    public async Task Descriptor_PassedOverASocket_OpensThePod()
    {
        using TestNamespace pod = TestNamespace.Create("pass");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("zt-netns-");
        try
        {
            string path = Path.Combine(folder.FullName, "zds");
            using SeqPacketSocket listener = SeqPacketSocket.Listen(path);
            using SeqPacketSocket agent = SeqPacketSocket.Connect(path, LoopFixture.Limit);
            using SeqPacketSocket ours = listener.Accept(LoopFixture.Limit)!;
            using Microsoft.Win32.SafeHandles.SafeFileHandle opened = File.OpenHandle(pod.Path);
            var sent = new DescriptorHandle((int)opened.DangerousGetHandle());
            Assert.Equal(Errno.None, agent.Send("add"u8, [sent], LoopFixture.Limit));
            sent.Release();

            using SeqPacketMessage message = ours.Receive(new byte[100], LoopFixture.Limit);
            using NetworkNamespace received = NetworkNamespace.Adopt(message.TakeDescriptor(0));
            using NetworkNamespace known = NetworkNamespace.Open(pod.Path);

            Assert.Equal(known.Id, received.Id);
            using var fixture = new LoopFixture();
            ConnectResult refused = await ConnectAsync(fixture, new SocketFactory(received, PodSettings), IPAddress.Loopback);
            Assert.Equal(Errno.ECONNREFUSED, refused.Error);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [NamespaceFact]
    public void Run_CallbackThrows_ExceptionArrivesAndTheThreadIsHome()
    {
        using TestNamespace pod = TestNamespace.Create("throw");
        using NetworkNamespace podNamespace = NetworkNamespace.Open(pod.Path);

        Assert.Throws<LinuxException>(() => podNamespace.Run<int, int>(static _ => throw new LinuxException(Errno.EIO, "inside"), 0));
    }

    private static Task<ConnectResult> ConnectAsync(LoopFixture fixture, SocketFactory factory, IPAddress address) => fixture.OnLoop(loop =>
        LoopSocket.ConnectAsync(loop, factory.OpenTcp(address.AddressFamily), new IPEndPoint(address, Port), LoopFixture.Limit, CancellationToken.None).AsTask());

    /// <summary>Null for a thread that ended meanwhile.</summary>
    private static string? NamespaceOfThread(string task)
    {
        try
        {
            return File.ResolveLinkTarget(Path.Combine(task, "ns/net"), returnFinalTarget: false)?.Name;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
