using System.CommandLine;
using System.Net;
using Ztunnel.InPod.Redirection;

namespace Ztunnel.Commands;

/// <summary>`ztunnel redirect install|remove|print`: the redirection rules of one network namespace, for machines whose node agent does not install them.</summary>
public static class RedirectCommand
{
    private const int Failure = 1;

    private static readonly Option<string> NetNs = new("--netns") { Description = "File of the pod's network namespace: /run/netns/NAME or /proc/PID/ns/net", Required = true, HelpName = "PATH" };

    /// <summary>The command with its subcommands; hand it the arguments behind the program's name.</summary>
    public static Command Create() => new("redirect", "Redirect the traffic of a pod's network namespace through its proxy")
    {
        Subcommands = { CreateInstall(), CreateRemove(), CreatePrint() },
    };

    private static Command CreateInstall()
    {
        var rules = new RuleOptions();
        var command = new Command("install", "Install the rules; installing again changes nothing") { NetNs };
        rules.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
            await ReportAsync(parsed, new PodRedirection(parsed.GetRequiredValue(NetNs)).InstallAsync(rules.Read(parsed), cancellation)));
        return command;
    }

    private static Command CreateRemove()
    {
        var command = new Command("remove", "Remove the rules, whichever options made them; nothing of others is touched") { NetNs };
        command.SetAction(async (parsed, cancellation) =>
            await ReportAsync(parsed, new PodRedirection(parsed.GetRequiredValue(NetNs)).RemoveAsync(cancellation)));
        return command;
    }

    private static Command CreatePrint()
    {
        var rules = new RuleOptions();
        var command = new Command("print", "Print what install feeds to the tools; changes nothing");
        rules.AddTo(command);
        command.SetAction(parsed => parsed.InvocationConfiguration.Output.Write(PodRedirection.Print(rules.Read(parsed))));
        return command;
    }

    private static async Task<int> ReportAsync(ParseResult parsed, Task work)
    {
        try
        {
            await work;
            return 0;
        }
        catch (RedirectionException problem)
        {
            await parsed.InvocationConfiguration.Error.WriteLineAsync($"Error: {problem.Message}");
            return Failure;
        }
    }

    /// <summary>The options that choose rules, with the mistakes they can hold.</summary>
    private sealed class RuleOptions
    {
        private static readonly RedirectionOptions Defaults = new();

        private readonly Option<RedirectionBackend> _backend = new("--backend") { Description = "iptables or nftables", DefaultValueFactory = static _ => Defaults.Backend, HelpName = "iptables|nftables" };
        private readonly Option<bool> _ingressMode = new("--ingress-mode") { Description = "Do not capture plaintext that comes in (ambient.istio.io/bypass-inbound-capture)" };
        private readonly Option<bool> _dnsCapture = new("--dns-capture") { Description = "Send DNS to the DNS proxy", DefaultValueFactory = static _ => Defaults.DnsCapture, HelpName = "true|false" };
        private readonly Option<bool> _ipv6 = new("--ipv6") { Description = "Rules for IPv6 too", DefaultValueFactory = static _ => Defaults.IPv6, HelpName = "true|false" };
        private readonly Option<IPAddress> _probe = Address("--probe-address", "Source address of health probes, never captured", Defaults.ProbeAddressIPv4);
        private readonly Option<IPAddress> _probeIPv6 = Address("--probe-address-ipv6", "The same for IPv6", Defaults.ProbeAddressIPv6);
        private readonly Option<string[]> _interfaces = new("--virtual-interface") { Description = "Interface of a guest inside the pod: what arrives there is outbound; may be repeated", HelpName = "NAME" };

        public void AddTo(Command command)
        {
            foreach (Option option in (Option[])[_backend, _ingressMode, _dnsCapture, _ipv6, _probe, _probeIPv6, _interfaces])
                command.Options.Add(option);
            command.Validators.Add(result =>
            {
                foreach (string name in result.GetValue(_interfaces) ?? [])
                {
                    if ((Defaults with { VirtualInterfaces = [name] }).FindMistakes() is [var mistake, ..])
                        result.AddError($"--virtual-interface: {mistake}");
                }
            });
        }

        public RedirectionOptions Read(ParseResult parsed) => new()
        {
            Backend = parsed.GetValue(_backend),
            IngressMode = parsed.GetValue(_ingressMode),
            DnsCapture = parsed.GetValue(_dnsCapture),
            IPv6 = parsed.GetValue(_ipv6),
            ProbeAddressIPv4 = parsed.GetValue(_probe) ?? Defaults.ProbeAddressIPv4,
            ProbeAddressIPv6 = parsed.GetValue(_probeIPv6) ?? Defaults.ProbeAddressIPv6,
            VirtualInterfaces = [.. parsed.GetValue(_interfaces) ?? []],
        };

        private static Option<IPAddress> Address(string name, string description, IPAddress fallback) => new(name)
        {
            Description = description,
            HelpName = "IP",
            DefaultValueFactory = _ => fallback,
            CustomParser = result =>
            {
                if (IPAddress.TryParse(result.Tokens[0].Value, out IPAddress? address) && address.AddressFamily == fallback.AddressFamily)
                    return address;
                result.AddError($"{name}: expected an address like {fallback}, found \"{result.Tokens[0].Value}\"");
                return null;
            },
        };
    }
}
