using System.CommandLine;
using System.Net;
using Ztunnel.InPod.Redirection;

namespace Ztunnel.Commands;

/// <summary>The options that choose rules, with the mistakes they can hold.</summary>
internal sealed class RedirectionRuleOptions
{
    private static readonly RedirectionOptions Defaults = new();

    private readonly Option<RedirectionBackend> _backend = new("--backend") { Description = "iptables or nftables", DefaultValueFactory = static _ => Defaults.Backend, HelpName = "iptables|nftables" };
    private readonly Option<InboundCapture> _inbound = new("--inbound") { Description = "How incoming connections reach the proxy: redirect or tproxy", DefaultValueFactory = static _ => Defaults.Inbound, HelpName = "redirect|tproxy" };
    private readonly Option<bool> _ingressMode = new("--ingress-mode") { Description = "Do not capture plaintext that comes in (ambient.istio.io/bypass-inbound-capture)" };
    private readonly Option<bool> _dnsCapture = new("--dns-capture") { Description = "Send DNS to the DNS proxy", DefaultValueFactory = static _ => Defaults.DnsCapture, HelpName = "true|false" };
    private readonly Option<bool> _ipv6 = new("--ipv6") { Description = "Rules for IPv6 too", DefaultValueFactory = static _ => Defaults.IPv6, HelpName = "true|false" };
    private readonly Option<IPAddress> _probe = Address("--probe-address", "Source address of health probes, never captured", Defaults.ProbeAddressIPv4);
    private readonly Option<IPAddress> _probeIPv6 = Address("--probe-address-ipv6", "The same for IPv6", Defaults.ProbeAddressIPv6);
    private readonly Option<string[]> _interfaces = new("--virtual-interface") { Description = "Interface of a guest inside the pod: what arrives there is outbound; may be repeated", HelpName = "NAME" };

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_backend, _inbound, _ingressMode, _dnsCapture, _ipv6, _probe, _probeIPv6, _interfaces])
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
        Inbound = parsed.GetValue(_inbound),
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
