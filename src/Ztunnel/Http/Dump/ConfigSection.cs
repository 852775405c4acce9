using System.Collections.Immutable;
using System.Text.Json;
using Ztunnel.Settings;

namespace Ztunnel.Http.Dump;

/// <summary>The settings in force, under the names the existing program gives them (control-path 9.2, "config"). Secrets are not shown: of headers only the names, of tokens nothing.</summary>
public static class ConfigSection
{
    private const int OutboundPort = 15001;
    private const int PassthroughPort = 15006;
    private const int InboundPort = 15008;
    private const int Socks5Port = 15080;

    public static void Write(Utf8JsonWriter json, ZtunnelSettings settings)
    {
        (ControlPlaneSettings plane, ModeSettings mode, TuningSettings tuning) = (settings.ControlPlane, settings.Mode, settings.Tuning);
        string any = mode.IPv6Enabled ? "[::]" : "0.0.0.0";
        json.WriteStartObject();
        WriteLocalhost(json, "adminAddr", mode.IPv6Enabled, settings.Observability.AdminPort);
        json.WriteString("altCaHostname", plane.AltCaHostname);
        json.WriteString("altXdsHostname", plane.AltXdsHostname);
        json.WriteString("caAddress", Address(plane.CaAddress));
        WriteHeaders(json, "caHeaders", plane.CaHeaders);
        WriteRoot(json, "caRootCert", plane.CaRoot, plane.CaAddress is not null);
        json.WriteString("clusterDomain", plane.ClusterDomain);
        json.WriteString("clusterId", plane.ClusterId);
        json.WriteNumber("connectionWindowSize", tuning.ConnectionWindowBytes);
        json.WriteString("crlPath", plane.CrlPath);
        json.WriteBoolean("dnsProxy", mode.DnsEnabled);
        if (mode.DnsAddress is { } dns)
            WriteSocketAddress(json, "dnsProxyAddr", dns.ToString());
        else
            WriteLocalhost(json, "dnsProxyAddr", mode.IPv6Enabled, mode.DnsPort);
        json.WriteBoolean("enableEnhancedBaggage", mode.ResponseBaggage);
        json.WriteBoolean("fakeCa", plane.FakeCa);
        json.WriteBoolean("fakeSelfInbound", false);
        json.WriteNumber("frameSize", tuning.FrameBytes);
        json.WriteStartArray("illegalPorts");
        foreach (int port in mode.Socks5Enabled ? [OutboundPort, PassthroughPort, InboundPort, Socks5Port] : new[] { OutboundPort, PassthroughPort, InboundPort })
            json.WriteNumberValue(port);
        json.WriteEndArray();
        json.WriteString("inboundAddr", $"{any}:{InboundPort}");
        json.WriteString("inboundPlaintextAddr", $"{any}:{PassthroughPort}");
        json.WriteBoolean("inpodPortReuse", mode.PortReuse);
        json.WriteString("inpodUds", mode.InpodSocket);
        json.WriteBoolean("ipv6Enabled", mode.IPv6Enabled);
        json.WriteString("localNode", settings.Node.NodeName);
        json.WriteBoolean("localhostAppTunnel", mode.LocalhostAppTunnel);
        json.WriteString("network", settings.Node.Network);
        json.WriteNumber("numWorkerThreads", tuning.WorkerThreads);
        json.WriteString("outboundAddr", $"{any}:{OutboundPort}");
        WriteNumberOrNull(json, "packetMark", mode.PacketMark);
        json.WriteNumber("poolMaxStreamsPerConn", tuning.PoolMaxStreams);
        WriteDuration(json, "poolUnusedReleaseTimeout", tuning.PoolUnusedRelease);
        json.WriteString("preferedServiceNamespace", mode.PreferredServiceNamespace);
        json.WriteBoolean("proxy", mode.ProxyEnabled);
        json.WriteString("proxyArgs", settings.Arguments);
        json.WriteStartObject("proxyMetadata");
        foreach ((string key, string value) in settings.ProxyMetadata)
            json.WriteString(key, value);
        json.WriteEndObject();
        json.WriteString("proxyMode", mode.Mode.ToString());
        WriteWorkload(json, "proxyWorkloadInformation", mode.Workload?.Name, mode.Workload?.Namespace, mode.Workload?.ServiceAccount);
        WriteSocketAddress(json, "readinessAddr", $"{any}:{ObservabilitySettings.ReadinessPort}");
        if (mode.OriginalSource is { } required)
            json.WriteBoolean("requireOriginalSource", required);
        else
            json.WriteNull("requireOriginalSource");
        WriteDuration(json, "secretTtl", plane.SecretTtl);
        WriteDuration(json, "selfTerminationDeadline", tuning.TerminationDeadline);
        WriteSockets(json, tuning);
        json.WriteString("socks5Addr", mode.Socks5Enabled ? $"127.0.0.1:{Socks5Port}" : null);
        WriteSocketAddress(json, "statsAddr", $"{any}:{settings.Observability.StatsPort}");
        json.WriteNumber("windowSize", tuning.StreamWindowBytes);
        json.WriteString("xdsAddress", Address(plane.XdsAddress));
        WriteHeaders(json, "xdsHeaders", plane.XdsHeaders);
        json.WriteBoolean("xdsOnDemand", plane.OnDemand);
        WriteRoot(json, "xdsRootCert", plane.XdsRoot, plane.XdsAddress is not null);
        WriteOwn(json, settings);
        json.WriteEndObject();
    }

    private static void WriteOwn(Utf8JsonWriter json, ZtunnelSettings settings)
    {
        NodeSettings node = settings.Node;
        json.WriteString("ztunnelIdentity", node.HasOwnWorkload ? $"spiffe://{settings.ControlPlane.TrustDomain}/ns/{node.PodNamespace}/sa/{node.ServiceAccount}" : null);
        WriteWorkload(json, "ztunnelWorkload", node.HasOwnWorkload ? node.PodName : null, node.PodNamespace, node.ServiceAccount);
    }

    private static void WriteSockets(Utf8JsonWriter json, TuningSettings tuning)
    {
        json.WriteStartObject("socketConfig");
        json.WriteBoolean("keepaliveEnabled", tuning.KeepAliveEnabled);
        WriteDuration(json, "keepaliveInterval", tuning.KeepAliveInterval);
        json.WriteNumber("keepaliveRetries", tuning.KeepAliveRetries);
        WriteDuration(json, "keepaliveTime", tuning.KeepAliveTime);
        json.WriteBoolean("userTimeoutEnabled", tuning.UserTimeoutEnabled);
        json.WriteEndObject();
    }

    private static void WriteLocalhost(Utf8JsonWriter json, string name, bool ipv6, int port)
    {
        json.WriteStartObject(name);
        json.WriteStartArray("Localhost");
        json.WriteBooleanValue(ipv6);
        json.WriteNumberValue(port);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteSocketAddress(Utf8JsonWriter json, string name, string address)
    {
        json.WriteStartObject(name);
        json.WriteString("SocketAddr", address);
        json.WriteEndObject();
    }

    private static void WriteDuration(Utf8JsonWriter json, string name, TimeSpan duration)
    {
        json.WriteStartObject(name);
        json.WriteNumber("nanos", duration.Ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick);
        json.WriteNumber("secs", duration.Ticks / TimeSpan.TicksPerSecond);
        json.WriteEndObject();
    }

    private static void WriteWorkload(Utf8JsonWriter json, string property, string? name, string? @namespace, string? serviceAccount)
    {
        if (name is null)
        {
            json.WriteNull(property);
            return;
        }

        json.WriteStartObject(property);
        json.WriteString("name", name);
        json.WriteString("namespace", @namespace);
        json.WriteString("serviceAccount", serviceAccount);
        json.WriteEndObject();
    }

    // A file is named; the text of a certificate or an unused root is not repeated.
    private static void WriteRoot(Utf8JsonWriter json, string name, RootSource root, bool isUsed)
    {
        if (!isUsed || root.Kind == RootKind.Pem)
        {
            json.WriteString(name, "Static");
            return;
        }

        if (root.Kind == RootKind.System)
        {
            json.WriteString(name, "Default");
            return;
        }

        json.WriteStartObject(name);
        json.WriteString("File", root.Text);
        json.WriteEndObject();
    }

    private static void WriteHeaders(Utf8JsonWriter json, string name, ImmutableArray<SecretHeader> headers)
    {
        json.WriteStartArray(name);
        foreach (SecretHeader header in headers)
        {
            json.WriteStartArray();
            json.WriteStringValue(header.Name);
            json.WriteStringValue("(redacted)");
            json.WriteEndArray();
        }

        json.WriteEndArray();
    }

    private static void WriteNumberOrNull(Utf8JsonWriter json, string name, uint? value)
    {
        if (value is { } number)
            json.WriteNumber(name, number);
        else
            json.WriteNull(name);
    }

    private static string? Address(Uri? address) => address?.ToString().TrimEnd('/');
}
