using System.Collections.Immutable;
using System.Globalization;
using System.Net;

namespace Ztunnel.Settings;

/// <summary>One process for all pods of a node, or for one workload.</summary>
public enum ProxyMode
{
    Shared,
    Dedicated,
}

/// <summary>The workload of dedicated mode: PROXY_WORKLOAD_INFO, <c>namespace/name/service-account</c>.</summary>
public sealed record DedicatedWorkload(string Namespace, string Name, string ServiceAccount);

/// <summary>What runs and how it meets the pods (control-path 2.2, "Mode and features").</summary>
public sealed record ModeSettings
{
    /// <summary>SO_MARK that the redirection rules let pass (0x539).</summary>
    public const uint DefaultMark = 1337;

    private const int DefaultDnsPort = 15053;

    /// <summary>PROXY_MODE: <c>shared</c> (default) or <c>dedicated</c>.</summary>
    public ProxyMode Mode { get; init; }

    /// <summary>PROXY_WORKLOAD_INFO; required in dedicated mode.</summary>
    public DedicatedWorkload? Workload { get; init; }

    /// <summary>ENABLE_PROXY, default true.</summary>
    public bool ProxyEnabled { get; init; } = true;

    /// <summary>Metadata DNS_CAPTURE, on unless it says something other than true.</summary>
    public bool DnsEnabled { get; init; } = true;

    /// <summary>Metadata DNS_PROXY_ADDR: <c>localhost:PORT</c> (null here: loopback of both families) or <c>IP:PORT</c>.</summary>
    public IPEndPoint? DnsAddress { get; init; }

    /// <summary>The port of <see cref="DnsAddress"/>, default 15053.</summary>
    public int DnsPort { get; init; } = DefaultDnsPort;

    /// <summary>INPOD_UDS, default /var/run/ztunnel/ztunnel.sock.</summary>
    public string InpodSocket { get; init; } = "/var/run/ztunnel/ztunnel.sock";

    /// <summary>INPOD_PORT_REUSE, default true.</summary>
    public bool PortReuse { get; init; } = true;

    /// <summary>PACKET_MARK, default 1337 in shared mode, none in dedicated mode.</summary>
    public uint? PacketMark { get; init; }

    /// <summary>ENABLE_ORIG_SRC: unset tries and goes on without, true insists, false does not try.</summary>
    public bool? OriginalSource { get; init; }

    /// <summary>IPV6_ENABLED, default true.</summary>
    public bool IPv6Enabled { get; init; } = true;

    /// <summary>LOCALHOST_APP_TUNNEL, default true.</summary>
    public bool LocalhostAppTunnel { get; init; } = true;

    /// <summary>ENABLE_RESPONSE_BAGGAGE, default true.</summary>
    public bool ResponseBaggage { get; init; } = true;

    /// <summary>UNSTABLE_ENABLE_SOCKS5, default false.</summary>
    public bool Socks5Enabled { get; init; }

    /// <summary>PREFERED_SERVICE_NAMESPACE, spelt so: DNS prefers services of this namespace.</summary>
    public string? PreferredServiceNamespace { get; init; }

    /// <summary>AUTHZ_POLICY_INFO_LOGGING: authorization decisions at info instead of debug.</summary>
    public bool PolicyDecisionsAtInfo { get; init; }

    /// <summary>ZTUNNEL_UNKNOWN_POLICY (ours): <c>deny</c> (default) or <c>skip</c>, for references to policies that are not known.</summary>
    public bool UnknownPoliciesSkipped { get; init; }

    public static ModeSettings Read(SettingReader reader, ImmutableSortedDictionary<string, string> metadata, bool onDemand)
    {
        ProxyMode mode = reader.Choice("PROXY_MODE", ProxyMode.Shared, ("dedicated", ProxyMode.Dedicated), ("shared", ProxyMode.Shared));
        (IPEndPoint? dnsAddress, int dnsPort) = ReadDnsAddress(reader, metadata.GetValueOrDefault("DNS_PROXY_ADDR"));
        var settings = new ModeSettings
        {
            Mode = mode,
            Workload = ReadWorkload(reader),
            ProxyEnabled = reader.Flag("ENABLE_PROXY", fallback: true),
            DnsEnabled = !metadata.TryGetValue("DNS_CAPTURE", out string? capture) || capture.Equals("true", StringComparison.OrdinalIgnoreCase),
            DnsAddress = dnsAddress,
            DnsPort = dnsPort,
            InpodSocket = reader.Text("INPOD_UDS", "/var/run/ztunnel/ztunnel.sock"),
            PortReuse = reader.Flag("INPOD_PORT_REUSE", fallback: true),
            PacketMark = reader.OptionalNumber<uint>("PACKET_MARK") ?? (mode == ProxyMode.Shared ? DefaultMark : null),
            OriginalSource = reader.OptionalFlag("ENABLE_ORIG_SRC"),
            IPv6Enabled = reader.Flag("IPV6_ENABLED", fallback: true),
            LocalhostAppTunnel = reader.Flag("LOCALHOST_APP_TUNNEL", fallback: true),
            ResponseBaggage = reader.Flag("ENABLE_RESPONSE_BAGGAGE", fallback: true),
            Socks5Enabled = reader.Flag("UNSTABLE_ENABLE_SOCKS5", fallback: false),
            PreferredServiceNamespace = reader.OptionalText("PREFERED_SERVICE_NAMESPACE"),
            PolicyDecisionsAtInfo = reader.OptionalText("AUTHZ_POLICY_INFO_LOGGING") == "true",
            UnknownPoliciesSkipped = reader.Choice("ZTUNNEL_UNKNOWN_POLICY", fallback: false, ("deny", false), ("skip", true)),
        };

        if (mode == ProxyMode.Dedicated && reader.OptionalText("PROXY_WORKLOAD_INFO") is null)
            reader.Contradiction("PROXY_MODE=dedicated requires PROXY_WORKLOAD_INFO to be set");
        if (settings.DnsEnabled && onDemand)
            reader.Mistake("error parsing proxy config: DNS proxy does not currently support on-demand mode");
        if (!settings.DnsEnabled && !settings.ProxyEnabled)
            reader.Mistake("error parsing proxy config: ztunnel run without any servers enabled");
        return settings;
    }

    private static DedicatedWorkload? ReadWorkload(SettingReader reader)
    {
        if (reader.OptionalText("PROXY_WORKLOAD_INFO") is not { } value)
            return null;
        string[] parts = value.Split('/');
        if (parts.Length == 3)
            return new DedicatedWorkload(parts[0], parts[1], parts[2]);
        reader.Contradiction($"PROXY_WORKLOAD_INFO must match the format 'namespace/name/service-account' (got [{string.Join(", ", parts.Select(static part => $"\"{part}\""))}])");
        return null;
    }

    private static (IPEndPoint? Address, int Port) ReadDnsAddress(SettingReader reader, string? value)
    {
        const string Localhost = "localhost:";
        if (value is null)
            return (null, DefaultDnsPort);
        if (value.StartsWith(Localhost, StringComparison.Ordinal) && ushort.TryParse(value.AsSpan(Localhost.Length), NumberStyles.None, CultureInfo.InvariantCulture, out ushort port))
            return (null, port);
        if (value.Contains(':', StringComparison.Ordinal) && IPEndPoint.TryParse(value, out IPEndPoint? address) && address.Port != 0)
            return (address, address.Port);
        reader.Contradiction($"failed to parse DNS_PROXY_ADDR: {value} (invalid socket address syntax, expected localhost:PORT or IP:PORT)");
        return (null, DefaultDnsPort);
    }
}
