namespace Ztunnel.Settings;

/// <summary>
/// Every variable that is read, for <c>ztunnel help settings</c> and deploy/settings.md. The records beside this file read them; a test holds both together: each name that is read is listed here,
/// and each default that is written here gives the same settings as none.
/// </summary>
public static class SettingCatalogue
{
    private const string Duration = "duration";
    private const string Flag = "`true` or `false`";
    private const string Text = "text";
    private const string FilePath = "path";
    private const string Bytes = "bytes";
    private const string Number = "whole number";
    private const string Roots = "path, `SYSTEM` or PEM";

    public static IReadOnlyList<SettingEntry> All { get; } =
    [
        .. Of(SettingArea.ControlPlane,
            ("XDS_ADDRESS", "`host:port`", null, "the xDS server; default: `discoveryAddress` of the proxy config, else `istiod.istio-system.svc:15012` in a cluster and `localhost:15012` outside; empty: no xDS"),
            ("CA_ADDRESS", "`host:port`", null, "the certificate authority; default: `istiod.istio-system.svc:15012` in a cluster, `localhost:15012` outside"),
            ("XDS_ROOT_CA", Roots, "./var/run/secrets/istio/root-cert.pem", "roots that the xDS server is verified with; the file may come later and is read again when it changes"),
            ("CA_ROOT_CA", Roots, "./var/run/secrets/istio/root-cert.pem", "the same for the certificate authority"),
            ("ALT_XDS_HOSTNAME", "host name", null, "a second name the xDS server's certificate may carry"),
            ("ALT_CA_HOSTNAME", "host name", null, "a second name the certificate authority's certificate may carry"),
            ("AUTH_TOKEN", "path or token", null, "who we are to istiod; default: the file `./var/run/secrets/tokens/istio-token` if there is one; read again for every use"),
            ("CLUSTER_ID", Text, "Kubernetes", "the cluster's name for istiod; `ISTIO_META_CLUSTER_ID` wins"),
            ("ISTIO_META_CLUSTER_ID", Text, null, "the same, as Istio's charts set it"),
            ("CLUSTER_DOMAIN", Text, "cluster.local", "the DNS domain of the cluster"),
            ("TRUST_DOMAIN", Text, "cluster.local", "trust domain of ztunnel's own identity; those of workloads come from the control plane"),
            ("SECRET_TTL", Duration, "24h", "certificate lifetime that is asked for"),
            ("XDS_ON_DEMAND", Flag, "false", "fetch workloads when they are first needed instead of all at the start; not together with the DNS proxy"),
            ("LOCAL_XDS_PATH", FilePath, null, "the mesh from a YAML file that is followed while it changes"),
            ("LOCAL_XDS", "YAML", null, "the same inline; not both"),
            ("XDS_HEADER_", Text, null, "`XDS_HEADER_NAME` adds the header `name` to xDS streams; values are never shown"),
            ("CA_HEADER_", Text, null, "the same for certificate requests"),
            ("CRL_PATH", FilePath, null, "certificate revocation lists; the file may come later"),
            ("TLS12_ENABLED", "`true`", null, "TLS 1.2 towards the control plane too; between workloads it is always 1.3"),
            ("COMPLIANCE_POLICY", "`pqc`", null, "`pqc`: only X25519MLKEM768 between workloads; other words change nothing (TLS 1.3 with AES-GCM is all there is)"),
            ("FAKE_CA", Flag, "false", "sign certificates in this process; for tests and demonstrations"),
            ("PROXY_CONFIG", "YAML or JSON", null, "`discoveryAddress`, `proxyAdminPort`, `statsPort`, `concurrency`, `proxyMetadata`; over the `defaultConfig` of the file `./etc/istio/config/mesh`"),
            ("KUBERNETES_SERVICE_HOST", Text, null, "set by Kubernetes; tells that this is a cluster"),
            ("ISTIO_META_", Text, null, "`ISTIO_META_NAME` tells istiod the metadata `NAME`"),
            ("ISTIO_METAJSON_", "JSON", null, "the same with a value of any type")),
        .. Ours(SettingArea.ControlPlane,
            ("ZTUNNEL_FAKE_CA_ROOT", FilePath, "./var/run/ztunnel/embedded-ca.pem", "key and certificate of the embedded authority; processes that share the file trust each other"),
            ("ZTUNNEL_KEY_LOG_FILE", FilePath, null, "debugging only: the TLS secrets of all connections between workloads are written there; a warning says so")),
        .. Of(SettingArea.Node,
            ("NODE_NAME", Text, null, "this node: which workloads are local"),
            ("POD_NAME", Text, "", "this pod"),
            ("POD_NAMESPACE", Text, "", "its namespace"),
            ("SERVICE_ACCOUNT", Text, null, "its service account; with the two above ztunnel has an identity and can be reached through the mesh"),
            ("INSTANCE_IP", "IP address", "1.1.1.1", "its address"),
            ("NETWORK", Text, "", "the network that addresses belong to")),
        .. Of(SettingArea.Mode,
            ("PROXY_MODE", "`shared` or `dedicated`", "shared", "all pods of a node, each in its own network namespace, or one workload"),
            ("PROXY_WORKLOAD_INFO", "`namespace/name/service-account`", null, "the workload of dedicated mode"),
            ("ENABLE_PROXY", Flag, "true", "carry traffic"),
            ("ISTIO_META_DNS_CAPTURE", Flag, "true", "answer the DNS queries of pods"),
            ("ISTIO_META_DNS_PROXY_ADDR", "`localhost:port` or `IP:port`", "localhost:15053", "where the DNS proxy listens in a pod"),
            ("INPOD_UDS", FilePath, "/var/run/ztunnel/ztunnel.sock", "the node agent's socket"),
            ("INPOD_PORT_REUSE", Flag, "true", "share the ports of pods with the ztunnel that follows or precedes; rolling upgrades need it"),
            ("PACKET_MARK", Number, null, "mark of our packets, which redirection lets pass; default: 1337 in shared mode, none in dedicated mode"),
            ("ENABLE_ORIG_SRC", Flag, null, "show applications the client's address: `true` insists and fails without the right, `false` does not try, unset tries"),
            ("IPV6_ENABLED", Flag, "true", "IPv6"),
            ("LOCALHOST_APP_TUNNEL", Flag, "true", "application tunnels (PROXY protocol) connect to loopback"),
            ("ENABLE_RESPONSE_BAGGAGE", Flag, "true", "tell the peer's proxy about the destination workload, and believe what it tells"),
            ("UNSTABLE_ENABLE_SOCKS5", Flag, "false", "a socks5 listener in every pod, on 15080"),
            ("PREFERED_SERVICE_NAMESPACE", Text, null, "DNS: services of this namespace win where several have one name (spelt so)"),
            ("AUTHZ_POLICY_INFO_LOGGING", "`true`", null, "log authorization decisions at info instead of debug")),
        .. Ours(SettingArea.Mode,
            ("ZTUNNEL_UNKNOWN_POLICY", "`deny` or `skip`", "deny", "a policy that a workload names and nobody has sent: refuse, or go on as if it were not named")),
        .. Of(SettingArea.Tuning,
            ("ZTUNNEL_WORKER_THREADS", "`N`, `P%` or `0`", null, "event loops; `0`: one for each processor; default: `concurrency`, else the CPU limit, else a quarter of the processors and at least 2"),
            ("ZTUNNEL_CPU_LIMIT", Number, null, "processors to count with; default: those of the machine"),
            ("ZTUNNEL_RESOURCE_CPU_LIMIT", "processors, `0.5` or `500m`", null, "the pod's CPU limit"),
            ("ZTUNNEL_RESOURCE_CPU_REQUEST", "processors, `0.5` or `500m`", null, "the pod's CPU request: at least so many loops"),
            ("HTTP2_STREAM_WINDOW_SIZE", Bytes, "4194304", "receive window of a stream"),
            ("HTTP2_CONNECTION_WINDOW_SIZE", Bytes, "16777216", "receive window of a tunnel"),
            ("HTTP2_FRAME_SIZE", Bytes, "1048576", "largest frame that is accepted"),
            ("POOL_MAX_STREAMS_PER_CONNECTION", Number, "100", "streams of a tunnel before another one is opened"),
            ("POOL_UNUSED_RELEASE_TIMEOUT", Duration, "5m", "a tunnel without streams is closed after this"),
            ("KEEPALIVE_ENABLED", Flag, "true", "TCP keep-alive"),
            ("KEEPALIVE_TIME", Duration, "180s", "silence before the first probe"),
            ("KEEPALIVE_INTERVAL", Duration, "180s", "between probes"),
            ("KEEPALIVE_RETRIES", Number, "9", "probes without answer until the connection is dropped"),
            ("USER_TIMEOUT_ENABLED", Flag, "false", "drop connections whose data is not acknowledged for as long as keep-alive would take"),
            ("CONNECTION_TERMINATION_DEADLINE", Duration, null, "how long connections may finish after SIGTERM; default: derived from the grace period, else 5 s"),
            ("TERMINATION_GRACE_PERIOD_SECONDS", "seconds", null, "the pod's grace period: the deadline is 1 s less, and 5 s less above 10")),
        .. Ours(SettingArea.Tuning,
            ("ZTUNNEL_POOL_MAX_AGE", Duration, "1h", "a tunnel of this age takes no new connections"),
            ("ZTUNNEL_IDLE_TIMEOUT", Duration, "0s", "a connection without a byte either way ends after this; `0s`: never"),
            ("ZTUNNEL_HALF_CLOSED_TIMEOUT", Duration, "24h", "the same for a connection whose one side has ended"),
            ("ZTUNNEL_MEMORY_LIMIT", Bytes, "0", "memory the process may use, measured as resident memory; `0`: the limit of its control group, measured as that does"),
            ("ZTUNNEL_MEMORY_REFUSE_PERCENT", "0 to 100", "90", "from this share of the limit on new connections are refused, so that the open ones live; `0`: never")),
        .. Of(SettingArea.Observability,
            ("RUST_LOG", "`level` or `target=level,…`", "info", "which log lines are written"),
            ("LOG_FORMAT", "`json` or `plain`", "plain", "how"),
            ("ISTIO_META_ISTIO_VERSION", Text, "unknown", "the version that metrics and istiod are told")),
        .. Ours(SettingArea.Observability,
            ("ZTUNNEL_METRICS_QUIET_PERIOD", Duration, "1h", "traffic series without change and without open connection disappear after this"),
            ("ZTUNNEL_METRICS_DROPPED_LABELS", "comma list", "", "labels of traffic metrics that are left out")),
        .. Of(SettingArea.Ignored,
            ("INPOD_ENABLED", Text, null, "set by Istio's chart; pods' namespaces are the only way there is"),
            ("RUST_BACKTRACE", Text, null, "set by Istio's chart")),
    ];

    /// <summary>The variables as a Markdown page, one table for each area.</summary>
    public static void Write(TextWriter output)
    {
        foreach (IGrouping<SettingArea, SettingEntry> area in All.GroupBy(static entry => entry.Area))
        {
            output.Write($"\n## {Title(area.Key)}\n\n| variable | value | default | meaning |\n|---|---|---|---|\n");
            foreach (SettingEntry entry in area)
                output.Write($"| `{entry.Name}{(entry.IsPrefix ? "*" : "")}`{(entry.IsOurs ? " (ours)" : "")} | {entry.Kind} | {Shown(entry.Default)} | {entry.Meaning} |\n");
        }
    }

    private static string Title(SettingArea area) => area switch
    {
        SettingArea.ControlPlane => "Control plane",
        SettingArea.Node => "Node and pod",
        SettingArea.Mode => "Mode and features",
        SettingArea.Tuning => "Sizes, times, threads",
        SettingArea.Observability => "Logs and metrics",
        _ => "Accepted and ignored",
    };

    private static string Shown(string? value) => value switch
    {
        null => "–",
        "" => "empty",
        _ => $"`{value}`",
    };

    private static IEnumerable<SettingEntry> Of(SettingArea area, params (string Name, string Kind, string? Default, string Meaning)[] rows) =>
        rows.Select(row => new SettingEntry(area, row.Name, row.Kind, row.Default, row.Meaning));

    private static IEnumerable<SettingEntry> Ours(SettingArea area, params (string Name, string Kind, string? Default, string Meaning)[] rows) =>
        Of(area, rows).Select(static entry => entry with { IsOurs = true });
}
