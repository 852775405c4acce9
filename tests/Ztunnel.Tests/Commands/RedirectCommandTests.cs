using System.CommandLine;
using Ztunnel.Commands;
using Ztunnel.InPod.Redirection;

namespace Ztunnel.Tests.Commands;

public sealed class RedirectCommandTests
{
    [Fact]
    public async Task Print_Defaults_IsTheDefaultRuleSet()
    {
        (int code, string output, string error) = await RunAsync("print");

        Assert.Equal((0, PodRedirection.Print(new RedirectionOptions()), ""), (code, output, error));
    }

    [Fact]
    public async Task Print_EveryOption_ReachesTheRules()
    {
        (int code, string output, _) = await RunAsync(
            "print", "--backend", "nftables", "--ingress-mode", "--dns-capture", "false", "--ipv6", "false", "--probe-address", "10.0.0.9", "--probe-address-ipv6", "fd00::9",
            "--virtual-interface", "docker0", "--virtual-interface", "tap1");

        var expected = new RedirectionOptions
        {
            Backend = RedirectionBackend.Nftables,
            IngressMode = true,
            DnsCapture = false,
            IPv6 = false,
            ProbeAddressIPv4 = System.Net.IPAddress.Parse("10.0.0.9"),
            ProbeAddressIPv6 = System.Net.IPAddress.Parse("fd00::9"),
            VirtualInterfaces = ["docker0", "tap1"],
        };
        Assert.Equal((0, PodRedirection.Print(expected)), (code, output));
    }

    [Theory]
    [InlineData("--netns", "install")]
    [InlineData("--netns", "remove")]
    [InlineData("pf", "print", "--backend", "pf")]
    [InlineData("--probe-address: expected an address like 169.254.7.127, found \"fd00::1\"", "print", "--probe-address", "fd00::1")]
    [InlineData("--virtual-interface: virtual interface \"a b\" is not an interface name", "print", "--virtual-interface", "a b")]
    [InlineData("perhaps", "print", "--ipv6", "perhaps")]
    [InlineData("Error: /run/netns/nowhere: no such network namespace file", "install", "--netns", "/run/netns/nowhere")]
    [InlineData("Error: /run/netns/nowhere: no such network namespace file", "remove", "--netns", "/run/netns/nowhere")]
    public async Task AnyCommand_BadInput_FailsNamingIt(string expected, params string[] arguments)
    {
        (int code, _, string error) = await RunAsync(arguments);

        Assert.Equal(1, code);
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        var output = new StringWriter();
        var error = new StringWriter();
        int code = await RedirectCommand.Create().Parse(arguments).InvokeAsync(new InvocationConfiguration { Output = output, Error = error });
        return (code, output.ToString(), error.ToString());
    }
}
