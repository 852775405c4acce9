using Ztunnel.InPod.Redirection;
using Ztunnel.Testing.Namespaces;

namespace Ztunnel.InPod.Tests.Redirection;

/// <summary>The rules in a real namespace: who answers a connection, what is left after a removal.</summary>
public sealed class PodRedirectionTests
{
    private const uint OwnMark = 0x539;
    private const uint OwnMarkWithForeignBits = 0x7000_0539;

    public static TheoryData<RedirectionBackend, InboundCapture> Modes => new()
    {
        { RedirectionBackend.Iptables, InboundCapture.Redirect },
        { RedirectionBackend.Iptables, InboundCapture.Tproxy },
        { RedirectionBackend.Nftables, InboundCapture.Redirect },
        { RedirectionBackend.Nftables, InboundCapture.Tproxy },
    };

    public static TheoryData<RedirectionBackend, InboundCapture, string, string, string> Networks
    {
        get
        {
            var networks = new TheoryData<RedirectionBackend, InboundCapture, string, string, string>();
            foreach ((RedirectionBackend backend, InboundCapture inbound) in Modes.Select(static mode => ((RedirectionBackend)mode[0], (InboundCapture)mode[1])))
            {
                networks.Add(backend, inbound, "10.66.0.2", "10.66.0.1", "169.254.7.127");
                networks.Add(backend, inbound, "fd66::2", "fd66::1", "fd16:9254:7127:1337:ffff:ffff:ffff:ffff");
            }

            return networks;
        }
    }

    [NamespaceTheory]
    [MemberData(nameof(Networks))]
    public async Task Install_Defaults_CapturesTheApplicationAndSparesOurselves(RedirectionBackend backend, InboundCapture inbound, string pod, string outside, string probe)
    {
        using RedirectedPod network = await RedirectedPod.StartAsync();
        await network.Redirection.InstallAsync(new RedirectionOptions { Backend = backend, Inbound = inbound }, CancellationToken.None);
        string loopback = pod.Contains(':') ? "::1" : "127.0.0.1";

        // What the application sends is captured, with its destination kept; what we send is not, whatever others have in the upper bits of the mark.
        Assert.Equal($"15001 peer={pod} original={outside}:8080", network.AskTcp(network.Pod, outside, 8080));
        Assert.StartsWith($"8080 peer={pod} ", network.AskTcp(network.Pod, outside, 8080, OwnMark), StringComparison.Ordinal);
        Assert.StartsWith($"8080 peer={pod} ", network.AskTcp(network.Pod, outside, 8080, OwnMarkWithForeignBits), StringComparison.Ordinal);

        // What others send is captured, except to the HBONE port and except probes.
        Assert.Equal($"15006 peer={outside} original={pod}:8080", network.AskTcp(network.Outside, pod, 8080));
        Assert.Equal($"15006 peer={outside} original={pod}:15001", network.AskTcp(network.Outside, pod, 15001));
        Assert.StartsWith($"15008 peer={outside} ", network.AskTcp(network.Outside, pod, 15008), StringComparison.Ordinal);
        Assert.StartsWith($"8080 peer={probe} ", network.AskTcp(network.Outside, pod, 8080, mark: 0, source: probe), StringComparison.Ordinal);

        // Inside the pod nothing is captured.
        Assert.StartsWith("8080 ", network.AskTcp(network.Pod, loopback, 8080), StringComparison.Ordinal);
        Assert.StartsWith("8080 ", network.AskTcp(network.Pod, pod, 8080), StringComparison.Ordinal);

        // DNS goes to the DNS proxy, whose own questions leave.
        Assert.StartsWith("15053 ", network.AskUdp(network.Pod, outside, 53), StringComparison.Ordinal);
        Assert.StartsWith("15053 ", network.AskTcp(network.Pod, outside, 53), StringComparison.Ordinal);
        Assert.StartsWith("53 ", network.AskUdp(network.Pod, outside, 53, OwnMark), StringComparison.Ordinal);
        Assert.StartsWith("53 ", network.AskTcp(network.Pod, outside, 53, OwnMark), StringComparison.Ordinal);

        // The connection to the application under the client's address: the answer must find its way back to us.
        Assert.StartsWith($"8080 peer={outside} ", network.AskTcp(network.Pod, pod, 8080, OwnMark, outside), StringComparison.Ordinal);
    }

    [NamespaceTheory]
    [MemberData(nameof(Networks))]
    public async Task Install_IngressModeWithoutDns_LeavesInboundAndDnsAlone(RedirectionBackend backend, InboundCapture inbound, string pod, string outside, string probe)
    {
        using RedirectedPod network = await RedirectedPod.StartAsync();
        await network.Redirection.InstallAsync(new RedirectionOptions { Backend = backend, Inbound = inbound, IngressMode = true, DnsCapture = false }, CancellationToken.None);

        Assert.StartsWith($"8080 peer={outside} ", network.AskTcp(network.Outside, pod, 8080), StringComparison.Ordinal);
        Assert.StartsWith($"8080 peer={probe} ", network.AskTcp(network.Outside, pod, 8080, mark: 0, source: probe), StringComparison.Ordinal);
        Assert.StartsWith("15008 ", network.AskTcp(network.Outside, pod, 15008), StringComparison.Ordinal);
        Assert.StartsWith("15001 ", network.AskTcp(network.Pod, outside, 8080), StringComparison.Ordinal);
        Assert.StartsWith("53 ", network.AskUdp(network.Pod, outside, 53), StringComparison.Ordinal);
        Assert.StartsWith("15001 ", network.AskTcp(network.Pod, outside, 53), StringComparison.Ordinal);
        Assert.StartsWith($"8080 peer={outside} ", network.AskTcp(network.Pod, pod, 8080, OwnMark, outside), StringComparison.Ordinal);
    }

    [NamespaceTheory]
    [MemberData(nameof(Networks))]
    public async Task Install_VirtualInterface_TreatsItsArrivalsAsOutbound(RedirectionBackend backend, InboundCapture inbound, string pod, string outside, string probe)
    {
        using RedirectedPod network = await RedirectedPod.StartAsync();
        await network.Redirection.InstallAsync(new RedirectionOptions { Backend = backend, Inbound = inbound, VirtualInterfaces = ["eth0"] }, CancellationToken.None);

        Assert.Equal($"15001 peer={outside} original={pod}:8080", network.AskTcp(network.Outside, pod, 8080));
        Assert.StartsWith("15001 ", network.AskTcp(network.Outside, pod, 8080, mark: 0, source: probe), StringComparison.Ordinal);
    }

    [NamespaceTheory]
    [InlineData(RedirectionBackend.Iptables, "15001 ", "8080 ")]
    [InlineData(RedirectionBackend.Nftables, "15001 ", "8080 ")]
    public async Task Install_WithoutIPv6_CapturesIPv4Only(RedirectionBackend backend, string overIPv4, string overIPv6)
    {
        using RedirectedPod network = await RedirectedPod.StartAsync();
        await network.Redirection.InstallAsync(new RedirectionOptions { Backend = backend }, CancellationToken.None);
        await network.Redirection.InstallAsync(new RedirectionOptions { Backend = backend, IPv6 = false }, CancellationToken.None);

        Assert.StartsWith(overIPv4, network.AskTcp(network.Pod, "10.66.0.1", 8080), StringComparison.Ordinal);
        Assert.StartsWith(overIPv6, network.AskTcp(network.Pod, "fd66::1", 8080), StringComparison.Ordinal);
    }

    [NamespaceTheory]
    [MemberData(nameof(Modes))]
    public async Task Install_Again_ChangesNothing(RedirectionBackend backend, InboundCapture inbound)
    {
        var options = new RedirectionOptions { Backend = backend, Inbound = inbound };
        using RedirectedPod network = await RedirectedPod.StartAsync();
        await network.Redirection.InstallAsync(options, CancellationToken.None);
        string once = network.Snapshot();

        await network.Redirection.InstallAsync(options, CancellationToken.None);

        Assert.Equal(once, network.Snapshot());
    }

    [NamespaceTheory]
    [InlineData(RedirectionBackend.Iptables, RedirectionBackend.Nftables)]
    [InlineData(RedirectionBackend.Nftables, RedirectionBackend.Iptables)]
    public async Task Install_OtherBackendAndOptions_LeavesNothingOfTheFirst(RedirectionBackend first, RedirectionBackend second)
    {
        var options = new RedirectionOptions { Backend = second, DnsCapture = false };
        using RedirectedPod fresh = await RedirectedPod.StartAsync();
        await fresh.Redirection.InstallAsync(options, CancellationToken.None);
        using RedirectedPod network = await RedirectedPod.StartAsync();
        await network.Redirection.InstallAsync(new RedirectionOptions { Backend = first }, CancellationToken.None);

        await network.Redirection.InstallAsync(options, CancellationToken.None);

        Assert.Equal(fresh.Ours(), network.Ours());
    }

    [NamespaceTheory]
    [InlineData(RedirectionBackend.Iptables)]
    [InlineData(RedirectionBackend.Nftables)]
    public async Task Remove_AfterInstall_LeavesOnlyWhatOthersMade(RedirectionBackend backend)
    {
        using RedirectedPod network = await RedirectedPod.StartAsync();
        network.Pod.Run("iptables", "-t", "nat", "-A", "OUTPUT", "-d", "192.0.2.1", "-p", "tcp", "-j", "ACCEPT");
        network.Pod.Run("nft", "add", "table", "inet", "others");
        network.Pod.Run("ip", "rule", "add", "fwmark", "0x222", "pref", "32764", "lookup", "101");
        network.Pod.Run("ip", "route", "add", "192.0.2.0/24", "dev", "lo", "table", "100");
        await network.Redirection.InstallAsync(new RedirectionOptions { Backend = backend }, CancellationToken.None);
        Assert.NotEmpty(network.Ours());

        await network.Redirection.RemoveAsync(CancellationToken.None);

        string left = network.Snapshot();
        Assert.DoesNotContain("istio", left, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("fwmark 0x111", left, StringComparison.Ordinal);
        Assert.DoesNotContain("local default", left, StringComparison.Ordinal);
        Assert.Contains("-A OUTPUT -d 192.0.2.1/32 -p tcp -j ACCEPT", left, StringComparison.Ordinal);
        Assert.Contains("table inet others", left, StringComparison.Ordinal);
        Assert.Contains("fwmark 0x222 lookup 101", left, StringComparison.Ordinal);
        Assert.Contains("192.0.2.0/24", left, StringComparison.Ordinal);
        Assert.StartsWith("8080 ", network.AskTcp(network.Pod, "10.66.0.1", 8080), StringComparison.Ordinal);
    }

    [NamespaceTheory]
    [MemberData(nameof(Modes))]
    public async Task FindProblems_InstalledThenDamaged_NamesTheRuleAndWhatItBreaks(RedirectionBackend backend, InboundCapture inbound)
    {
        var options = new RedirectionOptions { Backend = backend, Inbound = inbound, VirtualInterfaces = ["docker0"] };
        using RedirectedPod network = await RedirectedPod.StartAsync();
        await network.Redirection.InstallAsync(options, CancellationToken.None);
        Assert.Empty(await network.Redirection.FindProblemsAsync(options, CancellationToken.None));

        network.Pod.Run("ip", "rule", "delete", "pref", "32764");
        if (backend == RedirectionBackend.Nftables)
        {
            network.Pod.Run("nft", "insert", "rule", "inet", "istio-ambient-nat", "istio-output", "tcp", "dport", "9", "accept");
            network.Pod.Run("nft", "flush", "chain", "inet", "istio-ambient-raw", "istio-output");
            network.Pod.Run("nft", "flush", "chain", "inet", "istio-ambient-mangle", "output");
        }
        else
        {
            network.Pod.Run("iptables", "-t", "nat", "-I", "ISTIO_OUTPUT", "-p", "tcp", "--dport", "9", "-j", "ACCEPT");
            network.Pod.Run("iptables", "-t", "raw", "-F", "ISTIO_OUTPUT");
            network.Pod.Run("iptables", "-t", "mangle", "-D", "OUTPUT", "-j", "ISTIO_OUTPUT");
        }

        IReadOnlyList<string> problems = await network.Redirection.FindProblemsAsync(options, CancellationToken.None);

        Assert.Equal(4, problems.Count);
        Assert.Contains(problems, static problem => problem.EndsWith("none of the rules in that chain apply", StringComparison.Ordinal));
        Assert.Contains(problems, static problem => problem.Contains("of ours are: whatever stands between them may decide first", StringComparison.Ordinal));
        Assert.Contains(problems, static problem => problem.EndsWith("DNS queries of the proxy and of the application share ports, and answers get lost", StringComparison.Ordinal));
        Assert.Contains("ip -4 rule: missing `fwmark 0x111/0xfff pref 32764 lookup 100`: the application's answers do not find the proxy, and inbound connections hang", problems);
    }

    [NamespaceFact]
    public async Task FindProblems_NothingInstalled_NamesEveryRule()
    {
        using TestNamespace pod = TestNamespace.Create("bare");
        pod.Run("ip", "link", "set", "lo", "up");

        foreach (RedirectionBackend backend in Enum.GetValues<RedirectionBackend>())
        {
            IReadOnlyList<string> problems = await new PodRedirection(pod.Path).FindProblemsAsync(new RedirectionOptions { Backend = backend }, CancellationToken.None);
            Assert.InRange(problems.Count, 20, 40);
            Assert.Contains(problems, static problem => problem.EndsWith("connections of the application leave unencrypted, past the proxy", StringComparison.Ordinal));
        }
    }

    [NamespaceFact]
    public async Task Remove_NothingInstalled_Succeeds()
    {
        using TestNamespace pod = TestNamespace.Create("bare");

        await new PodRedirection(pod.Path).RemoveAsync(CancellationToken.None);
    }

    [NamespaceFact]
    public async Task Install_NamespaceWithoutIPv6OnLoopback_InstallsTheRest()
    {
        using RedirectedPod network = await RedirectedPod.StartAsync();
        network.Pod.Run("sysctl", "-qw", "net.ipv6.conf.lo.disable_ipv6=1");

        await network.Redirection.InstallAsync(new RedirectionOptions(), CancellationToken.None);

        Assert.StartsWith("15001 ", network.AskTcp(network.Pod, "10.66.0.1", 8080), StringComparison.Ordinal);
        Assert.DoesNotContain("fwmark 0x111", network.Pod.Run("ip", "-6", "rule"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Install_NoSuchNamespace_NamesThePath()
    {
        RedirectionException problem = await Assert.ThrowsAsync<RedirectionException>(
            () => new PodRedirection("/run/netns/nowhere").InstallAsync(new RedirectionOptions(), CancellationToken.None));

        Assert.Equal("/run/netns/nowhere: no such network namespace file", problem.Message);
    }

    [NamespaceFact]
    public async Task Install_NotANamespace_CarriesTheToolsComplaint()
    {
        RedirectionException problem = await Assert.ThrowsAsync<RedirectionException>(
            () => new PodRedirection("/etc/hostname").InstallAsync(new RedirectionOptions(), CancellationToken.None));

        Assert.Contains("/etc/hostname: `ip ", problem.Message, StringComparison.Ordinal);
        Assert.Contains("nsenter", problem.Message, StringComparison.Ordinal);
    }
}
