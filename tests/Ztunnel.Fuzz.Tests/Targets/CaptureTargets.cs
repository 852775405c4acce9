using System.Net;
using System.Net.Sockets;
using System.Text;
using Ztunnel.InPod.Agent;
using Ztunnel.Linux.Sockets;
using Ztunnel.Proxy.Socks5;
using Ztunnel.Telemetry.Logging;

namespace Ztunnel.Fuzz.Tests.Targets;

/// <summary>What the pod's programs, the kernel and the operator of a node hand us beside tunnels: SOCKS requests, socket addresses, pod lists, log filters.</summary>
public sealed class CaptureTargets
{
    private static readonly byte[][] SocksSeeds = Seeds.Hex("socks5");
    private static readonly byte[][] AddressSeeds = Seeds.Hex("sockaddr");
    private static readonly string[] PodLists = Seeds.Lines("pod-list");
    private static readonly string[] LogFilters = Seeds.Lines("log-filter");

    [Fact]
    public void Socks_OfAnyBytes_IsATargetOrRefusedWithWords() => FuzzRun.Cases("socks5", 20_000, static input =>
    {
        byte[] bytes = input.OneIn(4) ? input.Bytes(300) : input.OneIn(4) ? input.Pick(SocksSeeds) : input.Damage(input.Pick(SocksSeeds));
        if (bytes.Length < SocksProtocol.RequestBytes)
            return;
        Assert.Equal(bytes[0] == 5 && bytes[1] > 0, SocksProtocol.ReadGreeting(bytes, out int methods) is null);
        Assert.InRange(methods, 0, 255);
        Assert.Equal(bytes.Contains((byte)0), SocksProtocol.ReadMethods(bytes) is null);

        // As the negotiation reads: first a fixed part, then exactly as much as that announced.
        if (SocksProtocol.ReadRequest(bytes, out int rest) is { } refused)
        {
            Assert.NotEqual("", refused);
            return;
        }

        Assert.InRange(rest, 1, SocksProtocol.LongestPartBytes);
        if (bytes.Length < SocksProtocol.RequestBytes + rest)
            return;
        if (SocksProtocol.ReadTarget(bytes, bytes.AsSpan(SocksProtocol.RequestBytes, rest), out SocksTarget target) is { } wrong)
        {
            Assert.NotEqual("", wrong);
            return;
        }

        Assert.True((target.Address is null) != (target.Hostname is null));
        Assert.True(target.Address is not { IsIPv4MappedToIPv6: true }, $"{target} is not canonical");
        Assert.True(target.Hostname is null || (target.Hostname.Length > 0 && target.Hostname.AsSpan().IndexOfAnyExceptInRange('!', '~') < 0), $"a host of {target.Hostname}");
    });

    [Fact]
    public void SocketAddress_OfAnyBytes_IsACanonicalEndPoint() => FuzzRun.Cases("sockaddr", 20_000, static input =>
    {
        byte[] bytes = input.OneIn(4) ? input.Bytes(28) : input.OneIn(4) ? input.Pick(AddressSeeds) : input.Damage(input.Pick(AddressSeeds));
        NativeAddress native = default;
        bytes.AsSpan(0, Math.Min(bytes.Length, native.Bytes.Length)).CopyTo(native.Bytes);

        IPEndPoint read = native.ToEndPoint();

        Assert.True(!read.Address.IsIPv4MappedToIPv6, $"{read} is not canonical");
        // What we hand to the kernel is what we meant, for a socket of either family that can reach it.
        Assert.Equal(read, NativeAddress.From(read, AddressFamily.InterNetworkV6).ToEndPoint());
        if (read.AddressFamily == AddressFamily.InterNetwork)
            Assert.Equal(read, NativeAddress.From(read, AddressFamily.InterNetwork).ToEndPoint());
    });

    [Fact]
    public void PodList_Damaged_IsTakenOrRefusedNamingTheFile() => FuzzRun.Cases("pod list", 5_000, static input =>
    {
        string text = input.OneIn(10) ? input.Text() : input.Damage(input.Pick(PodLists).Replace(",", ",\n", StringComparison.Ordinal));
        byte[] bytes = input.OneIn(3) ? input.Damage(Encoding.UTF8.GetBytes(text)) : Encoding.UTF8.GetBytes(text);
        try
        {
            foreach (PodListEntry pod in PodList.Parse("pods.json", bytes).Pods)
                Assert.True(pod.Netns.StartsWith('/') && pod.Name.Length > 0, text);
        }
        catch (PodListException refused)
        {
            Assert.StartsWith("pods.json", refused.Message, StringComparison.Ordinal);
        }
    });

    [Fact]
    public void LogFilter_OfAnyText_IsTakenOrRefusedWithWords() => FuzzRun.Cases("log filter", 10_000, static input =>
    {
        string text = input.OneIn(4) ? input.Text() : input.Damage(input.Pick(LogFilters));
        if (!LogFilter.TryParse(text, out _, out string reason))
            Assert.NotEqual("", reason);
    });
}
