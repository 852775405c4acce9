using System.Globalization;
using Ztunnel.Settings;

namespace Ztunnel.Tests.Settings;

public sealed class ZtunnelSettingsTests
{
    /// <summary>Every variable: a value, and what the settings say then. The first row of each pair is the default (control-path 2.2).</summary>
    public static TheoryData<string?, string?, string, object?> Variables => new()
    {
        { null, null, "XdsAddress", "https://localhost:15012/" },
        { "XDS_ADDRESS", "istiod.ns.svc:15012", "XdsAddress", "https://istiod.ns.svc:15012/" },
        { "XDS_ADDRESS", "", "XdsAddress", null },
        { "KUBERNETES_SERVICE_HOST", "10.0.0.1", "XdsAddress", "https://istiod.istio-system.svc:15012/" },
        { "CA_ADDRESS", "https://ca:1", "CaAddress", "https://ca:1/" },
        { "FAKE_CA", "true", "CaAddress", null },
        { "CLUSTER_ID", "west", "ClusterId", "west" },
        { null, null, "ClusterId", "Kubernetes" },
        { "ISTIO_META_CLUSTER_ID", "east", "ClusterId", "east" },
        { null, null, "ClusterDomain", "cluster.local" },
        { "CLUSTER_DOMAIN", "my.domain", "ClusterDomain", "my.domain" },
        { "TRUST_DOMAIN", "td", "TrustDomain", "td" },
        { null, null, "SecretTtl", "1.00:00:00" },
        { "SECRET_TTL", "90m", "SecretTtl", "01:30:00" },
        { "XDS_ON_DEMAND", "true", "OnDemand", true },
        { "LOCAL_XDS_PATH", "/x.yaml", "LocalXdsPath", "/x.yaml" },
        { "CRL_PATH", "", "CrlPath", null },
        { "CRL_PATH", "/crl", "CrlPath", "/crl" },
        { "TLS12_ENABLED", "true", "Tls12Requested", true },
        { "COMPLIANCE_POLICY", "pqc", "PostQuantumOnly", true },
        { null, null, "KeyLogPath", null },
        { "ZTUNNEL_KEY_LOG_FILE", "/keys", "KeyLogPath", "/keys" },
        { "ZTUNNEL_FAKE_CA_ROOT", "/r.pem", "FakeCaRootPath", "/r.pem" },
        { null, null, "InstanceIp", "1.1.1.1" },
        { "INSTANCE_IP", "10.0.0.2", "InstanceIp", "10.0.0.2" },
        { "NODE_NAME", "n1", "NodeName", "n1" },
        { "NETWORK", "net", "Network", "net" },
        { null, null, "Mode", ProxyMode.Shared },
        { null, null, "PacketMark", 1337u },
        { "PACKET_MARK", "7", "PacketMark", 7u },
        { null, null, "OriginalSource", null },
        { "ENABLE_ORIG_SRC", "false", "OriginalSource", false },
        { null, null, "InpodSocket", "/var/run/ztunnel/ztunnel.sock" },
        { null, null, "PortReuse", true },
        { "INPOD_PORT_REUSE", "false", "PortReuse", false },
        { "INPOD_UDS", "/run/agent.sock", "InpodSocket", "/run/agent.sock" },
        { null, null, "DnsEnabled", true },
        { "ISTIO_META_DNS_CAPTURE", "TRUE", "DnsEnabled", true },
        { "ISTIO_META_DNS_CAPTURE", "no", "DnsEnabled", false },
        { null, null, "DnsPort", 15053 },
        { "ISTIO_META_DNS_PROXY_ADDR", "localhost:53", "DnsPort", 53 },
        { "ISTIO_META_DNS_PROXY_ADDR", "127.0.0.5:54", "DnsAddress", "127.0.0.5:54" },
        { null, null, "IPv6Enabled", true },
        { "UNSTABLE_ENABLE_SOCKS5", "true", "Socks5Enabled", true },
        { "ENABLE_RESPONSE_BAGGAGE", "false", "ResponseBaggage", false },
        { "LOCALHOST_APP_TUNNEL", "false", "LocalhostAppTunnel", false },
        { "PREFERED_SERVICE_NAMESPACE", "ns", "PreferredServiceNamespace", "ns" },
        { "AUTHZ_POLICY_INFO_LOGGING", "true", "PolicyDecisionsAtInfo", true },
        { null, null, "UnknownPoliciesSkipped", false },
        { "ZTUNNEL_UNKNOWN_POLICY", "skip", "UnknownPoliciesSkipped", true },
        { null, null, "StreamWindowBytes", 4_194_304 },
        { "HTTP2_STREAM_WINDOW_SIZE", "65535", "StreamWindowBytes", 65_535 },
        { null, null, "ConnectionWindowBytes", 16_777_216 },
        { null, null, "FrameBytes", 1_048_576 },
        { null, null, "PoolMaxStreams", 100 },
        { null, null, "PoolUnusedRelease", "00:05:00" },
        { "POOL_UNUSED_RELEASE_TIMEOUT", "30", "PoolUnusedRelease", "00:00:30" },
        { null, null, "PoolMaxAge", "01:00:00" },
        { "ZTUNNEL_POOL_MAX_AGE", "10m", "PoolMaxAge", "00:10:00" },
        { null, null, "IdleTimeout", "00:00:00" },
        { "ZTUNNEL_IDLE_TIMEOUT", "1h", "IdleTimeout", "01:00:00" },
        { "ZTUNNEL_MEMORY_LIMIT", "1073741824", "MemoryLimitBytes", "1073741824" },
        { "ZTUNNEL_MEMORY_REFUSE_PERCENT", "80", "MemoryRefusePercent", "80" },
        { "ZTUNNEL_HALF_CLOSED_TIMEOUT", "5m", "HalfClosedTimeout", "00:05:00" },
        { null, null, "KeepAliveTime", "00:03:00" },
        { "KEEPALIVE_INTERVAL", "10s", "KeepAliveInterval", "00:00:10" },
        { null, null, "KeepAliveRetries", 9 },
        { null, null, "UserTimeout", null },
        { "USER_TIMEOUT_ENABLED", "true", "UserTimeout", "00:30:00" },
        { null, null, "TerminationDeadline", "00:00:05" },
        { "CONNECTION_TERMINATION_DEADLINE", "1m", "TerminationDeadline", "00:01:00" },
        { "CONNECTION_TERMINATION_DEADLINE", "1y", "TerminationDeadline", "30.00:00:00" },
        { "TERMINATION_GRACE_PERIOD_SECONDS", "31536000", "TerminationDeadline", "30.00:00:00" },
        { "TERMINATION_GRACE_PERIOD_SECONDS", "30", "TerminationDeadline", "00:00:25" },
        { "TERMINATION_GRACE_PERIOD_SECONDS", "10", "TerminationDeadline", "00:00:09" },
        { "TERMINATION_GRACE_PERIOD_SECONDS", "1", "TerminationDeadline", "00:00:01" },
        { "TERMINATION_GRACE_PERIOD_SECONDS", "0", "TerminationDeadline", "00:00:01" },
        { null, null, "LogFilter", "hickory_server::server=off,info" },
        { "RUST_LOG", "warn,access=info", "LogFilter", "hickory_server::server=off,access=info,warn" },
        { null, null, "LogFormat", "Plain" },
        { "LOG_FORMAT", "json", "LogFormat", "Json" },
        { "LOG_FORMAT", "xml", "LogFormat", "Plain" },
        { null, null, "AdminPort", 15000 },
        { null, null, "StatsPort", 15020 },
        { "ISTIO_META_ISTIO_VERSION", "1.2", "IstioVersion", "1.2" },
        { null, null, "MetricsQuietPeriod", "01:00:00" },
    };

    [Theory]
    [MemberData(nameof(Variables))]
    public void Read_Variable_GivesValue(string? name, string? value, string property, object? expected)
    {
        List<(string, string)> variables = name is null ? [] : [(name, value!)];
        // The DNS proxy, on by default, does not go with it.
        if (name == "XDS_ON_DEMAND")
            variables.Add(("ISTIO_META_DNS_CAPTURE", "false"));
        ZtunnelSettings settings = TestSource.Read([.. variables]);
        object[] parts = [settings.ControlPlane, settings.Node, settings.Mode, settings.Tuning, settings.Observability];
        object? actual = parts.Select(part => part.GetType().GetProperty(property) is { } found ? (Found: true, Value: found.GetValue(part)) : default).First(static found => found.Found).Value;

        Assert.Equal(Convert.ToString(expected, CultureInfo.InvariantCulture), Convert.ToString(actual, CultureInfo.InvariantCulture));
    }

    [Theory]
    [InlineData("ENABLE_PROXY", "yes", "invalid env var ENABLE_PROXY=yes (provided string was not `true` or `false`)")]
    [InlineData("ENABLE_PROXY", "", "invalid env var ENABLE_PROXY= (provided string was not `true` or `false`)")]
    [InlineData("PACKET_MARK", "x", "invalid env var PACKET_MARK=x (invalid digit found in string, expected a whole number from 0 to 4294967295)")]
    [InlineData("PACKET_MARK", "", "invalid env var PACKET_MARK= (cannot parse integer from empty string, expected a whole number from 0 to 4294967295)")]
    [InlineData("POOL_MAX_STREAMS_PER_CONNECTION", "70000", "invalid env var POOL_MAX_STREAMS_PER_CONNECTION=70000 (number too large to fit in target type, expected a whole number from 0 to 65535)")]
    [InlineData("PROXY_MODE", "sidecar", "invalid env var PROXY_MODE=sidecar (PROXY_MODE must be one of dedicated, shared)")]
    [InlineData("PROXY_MODE", "", "invalid env var PROXY_MODE= (PROXY_MODE must be one of dedicated, shared)")]
    [InlineData("PROXY_MODE", "dedicated", "invalid configuration: PROXY_MODE=dedicated requires PROXY_WORKLOAD_INFO to be set")]
    [InlineData("PROXY_WORKLOAD_INFO", "a/b", "invalid configuration: PROXY_WORKLOAD_INFO must match the format 'namespace/name/service-account' (got [\"a\", \"b\"])")]
    [InlineData("ISTIO_META_DNS_PROXY_ADDR", "nonsense", "invalid configuration: failed to parse DNS_PROXY_ADDR: nonsense (invalid socket address syntax, expected localhost:PORT or IP:PORT)")]
    [InlineData("ZTUNNEL_WORKER_THREADS", "200%", "invalid env var ZTUNNEL_WORKER_THREADS=200% (percentage must be between 0 and 100)")]
    [InlineData("ZTUNNEL_RESOURCE_CPU_LIMIT", "0", "invalid env var ZTUNNEL_RESOURCE_CPU_LIMIT=0 (expected a positive number of processors such as 2, 0.5 or 500m)")]
    [InlineData("PROXY_CONFIG", "{", "error parsing proxy config: failed parsing proxy config env: ")]
    // Found by the fuzz target: the library ends with an exception that is not its own.
    [InlineData("PROXY_CONFIG", "concurrency: 2\nproxyMetadata:\n  A: b\n:", "error parsing proxy config: failed parsing proxy config env: not YAML (")]
    [InlineData("PROXY_CONFIG", "{concurrency: many}", "error parsing proxy config: failed parsing proxy config env: concurrency: 'many' is not a whole number from 0 to 65535 at line 1")]
    [InlineData("SECRET_TTL", "abc", "invalid env var SECRET_TTL=abc ('abc' does not begin with a number, expected a number with one of y, mon, w, d, h, m, s, ms, us, ns, such as 1m30s)")]
    [InlineData("KEEPALIVE_TIME", "-3s", "invalid env var KEEPALIVE_TIME=-3s ('-3s' does not begin with a number, expected")]
    [InlineData("RUST_LOG", "a=b=c", "invalid env var RUST_LOG=a=b=c (too many '=' in 'a=b=c', expected target=level)")]
    [InlineData("XDS_ROOT_CA", "", "invalid env var XDS_ROOT_CA= (expected a path, SYSTEM or PEM text)")]
    [InlineData("CA_ROOT_CA", "", "invalid env var CA_ROOT_CA= (expected a path, SYSTEM or PEM text)")]
    [InlineData("AUTH_TOKEN", "", "invalid env var AUTH_TOKEN= (expected a path or a token)")]
    [InlineData("CA_ADDRESS", "", "invalid configuration: CA_ADDRESS is empty; expected the address of a certificate authority, or FAKE_CA=true")]
    [InlineData("XDS_ADDRESS", "http://istiod:15010", "invalid env var XDS_ADDRESS=http://istiod:15010 (expected host:port or https://host:port; plain http is refused)")]
    [InlineData("XDS_ADDRESS", "https://me:s3cr3t@istiod:15012", "invalid env var XDS_ADDRESS=https://istiod:15012 (a user name or password has no place in it; AUTH_TOKEN says who we are)")]
    [InlineData("HTTP2_FRAME_SIZE", "1000", "invalid env var HTTP2_FRAME_SIZE=1000 (expected a whole number from 16384 to 16777215)")]
    [InlineData("ZTUNNEL_METRICS_DROPPED_LABELS", "source_app,reporter", "invalid env var ZTUNNEL_METRICS_DROPPED_LABELS=source_app,reporter ('reporter' is no traffic label that can be left out)")]
    [InlineData("ZTUNNEL_UNKNOWN_POLICY", "allow", "invalid env var ZTUNNEL_UNKNOWN_POLICY=allow (ZTUNNEL_UNKNOWN_POLICY must be one of deny, skip)")]
    public void Read_WrongValue_NamesVariableAndWhatWasExpected(string name, string value, string expected)
    {
        Assert.StartsWith(expected, Assert.Single(TestSource.Mistakes((name, value))), StringComparison.Ordinal);
    }

    /// <summary>Whatever is wrong with an address: who reads the error must not learn the password in it.</summary>
    [Theory]
    [InlineData("http://me:s3cr3t@istiod:port", "http://istiod:port")]
    [InlineData("https://me:s3cr3t@istiod:99999", "https://istiod:99999")]
    [InlineData("me:s3cr3t@istiod:port", "istiod:port")]
    [InlineData("https://me:a/b?s3cr3t@x@istiod:port", "https://istiod:port")]
    public void Read_AddressWithPassword_IsNotQuotedWithIt(string address, string shown)
    {
        const string Reason = " (expected host:port or https://host:port; plain http is refused)";

        string[] mistakes = TestSource.Mistakes(("XDS_ADDRESS", address), ("CA_ADDRESS", address));

        Assert.Equal([$"invalid env var XDS_ADDRESS={shown}{Reason}", $"invalid env var CA_ADDRESS={shown}{Reason}"], mistakes);
        Assert.StartsWith($"invalid env var XDS_ADDRESS={shown} ", Assert.Single(TestSource.Mistakes(("PROXY_CONFIG", $"discoveryAddress: '{address}'"))), StringComparison.Ordinal);
    }

    [Fact]
    public void Read_ManyMistakes_ReportsAll()
    {
        string[] mistakes = TestSource.Mistakes(("FAKE_CA", "maybe"), ("PACKET_MARK", "x"), ("SECRET_TTL", "1 fortnight"), ("LOCAL_XDS", "a"), ("LOCAL_XDS_PATH", "b"), ("ENABLE_PROXY", "false"), ("ISTIO_META_DNS_CAPTURE", "false"));

        Assert.Equal(5, mistakes.Length);
        Assert.Contains("invalid configuration: only one of LOCAL_XDS_PATH or LOCAL_XDS may be set", mistakes);
        Assert.Contains("error parsing proxy config: ztunnel run without any servers enabled", mistakes);
    }

    [Fact]
    public void Read_JsonMetadata_KeepsTypesAndLeavesOutWhatIsNoJson()
    {
        ZtunnelSettings settings = TestSource.Read(("ISTIO_METAJSON_LABELS", """{"app": "x", "n": 1.5}"""), ("ISTIO_METAJSON_ON", "true"), ("ISTIO_METAJSON_BAD", "{"), ("ISTIO_META_PLAIN", "text"));

        Assert.Equal(["LABELS", "ON"], settings.JsonMetadata.Keys);
        Assert.Equal(1.5, settings.JsonMetadata["LABELS"].GetProperty("n").GetDouble());
        Assert.StartsWith("ISTIO_METAJSON_BAD is left out: not JSON", Assert.Single(settings.Warnings), StringComparison.Ordinal);
        Assert.Equal(["PLAIN"], settings.ProxyMetadata.Keys);
    }

    [Fact]
    public void Read_RootsAndTokenWithoutControlPlane_MayBeEmpty()
    {
        Assert.Null(TestSource.Read(("XDS_ADDRESS", ""), ("FAKE_CA", "true"), ("XDS_ROOT_CA", ""), ("CA_ROOT_CA", ""), ("AUTH_TOKEN", "")).ControlPlane.XdsAddress);
    }

    [Fact]
    public void Read_DnsProxyOnDemand_IsRefused()
    {
        Assert.Equal("error parsing proxy config: DNS proxy does not currently support on-demand mode", Assert.Single(TestSource.Mistakes(("XDS_ON_DEMAND", "true"))));
    }

    [Fact]
    public void Read_Secrets_AreNeverPrinted()
    {
        const string Secret = "s3cr3t";
        ZtunnelSettings settings = TestSource.Read(("AUTH_TOKEN", Secret), ("XDS_HEADER_X-Key", Secret), ("CA_HEADER_Authorization", "Bearer " + Secret));

        Assert.Equal("x-key", Assert.Single(settings.ControlPlane.XdsHeaders).Name);
        Assert.Equal("Bearer " + Secret, Assert.Single(settings.ControlPlane.CaHeaders).Value);
        Assert.DoesNotContain(Secret, settings.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, string.Join('\n', TestSource.Mistakes(("XDS_HEADER_bad name", Secret), ("CA_HEADER_ok", Secret + "\n"))), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-----BEGIN CERTIFICATE-----\nx", RootKind.Pem)]
    [InlineData("SYSTEM", RootKind.System)]
    [InlineData("/does/not/exist/yet.pem", RootKind.File)]
    public void Root_ByItsForm_IsPemSystemOrPath(string value, RootKind expected)
    {
        Assert.Equal(expected, TestSource.Read(("XDS_ROOT_CA", value)).ControlPlane.XdsRoot.Kind);
    }

    // Worker threads of control-path 2.2 on a machine with 8 processors.
    [Theory]
    [InlineData(2)]
    [InlineData(3, "ZTUNNEL_RESOURCE_CPU_LIMIT", "2500m")]
    [InlineData(5, "ZTUNNEL_RESOURCE_CPU_LIMIT", "2", "ZTUNNEL_RESOURCE_CPU_REQUEST", "4.5")]
    [InlineData(4, "ZTUNNEL_RESOURCE_CPU_REQUEST", "4")]
    [InlineData(16, "ZTUNNEL_CPU_LIMIT", "64")]
    [InlineData(6, "ZTUNNEL_WORKER_THREADS", "6")]
    [InlineData(8, "ZTUNNEL_WORKER_THREADS", "0")]
    [InlineData(4, "ZTUNNEL_WORKER_THREADS", "50%")]
    [InlineData(1, "ZTUNNEL_WORKER_THREADS", "1%")]
    [InlineData(2, "ZTUNNEL_WORKER_THREADS", "50%", "ZTUNNEL_RESOURCE_CPU_LIMIT", "3")]
    [InlineData(3, "PROXY_CONFIG", "{concurrency: 3}")]
    [InlineData(8, "PROXY_CONFIG", "{concurrency: 0}")]
    public void WorkerThreads_OfLimitsAndRequests_AreAsSpecified(int expected, params string[] variables)
    {
        Assert.Equal(expected, TestSource.Read([.. variables.Chunk(2).Select(static pair => (pair[0], pair[1]))]).Tuning.WorkerThreads);
    }

    [Fact]
    public void MeshConfig_FileThenVariableThenEnvironment_LaterWins()
    {
        SettingsSource source = TestSource.With(
            """
            accessLogFile: /dev/stdout
            defaultConfig:
              discoveryAddress: istiod.file.svc:15012
              statsPort: 16020
              concurrency: 4
              proxyMetadata: {ISTIO_META_A: file, B: file, ISTIO_META_C: file}
              unknown: {ignored: true}
            """,
            ("PROXY_CONFIG", """{"statsPort": 17020, "proxyMetadata": {"B": "variable"}}"""), ("ISTIO_META_C", "environment"));

        ZtunnelSettings settings = ZtunnelSettings.Read(source);

        Assert.Equal("https://istiod.file.svc:15012/", settings.ControlPlane.XdsAddress!.ToString());
        Assert.Equal((17020, 4), (settings.Observability.StatsPort, settings.Tuning.WorkerThreads));
        Assert.Equal(["A=file", "B=variable", "C=environment"], settings.ProxyMetadata.Select(static pair => $"{pair.Key}={pair.Value}"));
        // The CA does not follow discoveryAddress.
        Assert.Equal("https://localhost:15012/", settings.ControlPlane.CaAddress!.ToString());
    }

    [Fact]
    public void MeshConfig_WithoutMetadata_IsFine()
    {
        Assert.Equal(3, ZtunnelSettings.Read(TestSource.With("defaultConfig: {concurrency: 3}")).Tuning.WorkerThreads);
        Assert.Equal(2, ZtunnelSettings.Read(TestSource.With("rootNamespace: x")).Tuning.WorkerThreads);
        Assert.Equal(2, ZtunnelSettings.Read(TestSource.With("")).Tuning.WorkerThreads);
    }

    [Theory]
    [InlineData("5", 5_000)]
    [InlineData("1m30s", 90_000)]
    [InlineData("1h + 5m", 3_900_000)]
    [InlineData("1 minute 500 ms", 60_500)]
    [InlineData("0.5s", 500)]
    [InlineData("2w", 2 * 7 * 86_400_000L)]
    [InlineData("1mon", 30 * 86_400_000L)]
    [InlineData("250us", 0.25)]
    public void Duration_OfAnyForm_IsRead(string text, double milliseconds)
    {
        Assert.True(DurationParser.TryParse(text, out TimeSpan duration, out string reason), reason);
        Assert.Equal(milliseconds, duration.TotalMilliseconds);
    }

    [Theory]
    [InlineData("")]
    [InlineData("s")]
    [InlineData("5 parsecs")]
    [InlineData("1.2.3s")]
    [InlineData("5s+")]
    [InlineData("100000000000y")]
    public void Duration_ThatIsNone_IsRefusedWithAReason(string text)
    {
        Assert.False(DurationParser.TryParse(text, out _, out string reason));
        Assert.NotEmpty(reason);
    }
}
