using System.Collections.Immutable;

namespace Ztunnel.Settings;

/// <summary>The control plane: where it is, whom we trust there, what we say (control-path 2.2, "Control plane").</summary>
public sealed record ControlPlaneSettings
{
    private const string DefaultRoot = "./var/run/secrets/istio/root-cert.pem";
    private const string DefaultToken = "./var/run/secrets/tokens/istio-token";
    private const string DefaultEmbeddedRoot = "./var/run/ztunnel/embedded-ca.pem";

    /// <summary>XDS_ADDRESS, else <c>discoveryAddress</c>, else the service of istiod (localhost outside a cluster). Null: no xDS, which an empty value asks for.</summary>
    public Uri? XdsAddress { get; init; }

    /// <summary>CA_ADDRESS, else the service of istiod. Null with the embedded authority.</summary>
    public Uri? CaAddress { get; init; }

    /// <summary>XDS_ROOT_CA: a path, <c>SYSTEM</c> or PEM text; default ./var/run/secrets/istio/root-cert.pem.</summary>
    public RootSource XdsRoot { get; init; } = new(RootKind.File, DefaultRoot);

    /// <summary>CA_ROOT_CA, same forms and default.</summary>
    public RootSource CaRoot { get; init; } = new(RootKind.File, DefaultRoot);

    /// <summary>ALT_XDS_HOSTNAME: a second server name that is accepted.</summary>
    public string? AltXdsHostname { get; init; }

    /// <summary>ALT_CA_HOSTNAME.</summary>
    public string? AltCaHostname { get; init; }

    /// <summary>AUTH_TOKEN: a path or the token itself; default ./var/run/secrets/tokens/istio-token.</summary>
    public TokenSource Token { get; init; } = new(DefaultToken, IsDefault: true);

    /// <summary>ISTIO_META_CLUSTER_ID, else CLUSTER_ID, else <c>Kubernetes</c>.</summary>
    public string ClusterId { get; init; } = "Kubernetes";

    /// <summary>CLUSTER_DOMAIN, default <c>cluster.local</c>.</summary>
    public string ClusterDomain { get; init; } = "cluster.local";

    /// <summary>TRUST_DOMAIN, default <c>cluster.local</c>: of ztunnel's own identity only.</summary>
    public string TrustDomain { get; init; } = "cluster.local";

    /// <summary>SECRET_TTL, default 24 h: the certificate lifetime that is asked for.</summary>
    public TimeSpan SecretTtl { get; init; } = TimeSpan.FromHours(24);

    /// <summary>FAKE_CA, default false: sign certificates in this process.</summary>
    public bool FakeCa { get; init; }

    /// <summary>ZTUNNEL_FAKE_CA_ROOT (ours), default ./var/run/ztunnel/embedded-ca.pem: key and certificate of the embedded authority; processes that share the file trust each other.</summary>
    public string FakeCaRootPath { get; init; } = DefaultEmbeddedRoot;

    /// <summary>ZTUNNEL_KEY_LOG_FILE (ours), unset by default: writes the secrets of every connection between workloads there, for decoding captures on a test machine.</summary>
    public string? KeyLogPath { get; init; }

    /// <summary>XDS_ON_DEMAND, default false.</summary>
    public bool OnDemand { get; init; }

    /// <summary>LOCAL_XDS_PATH: the local resource file.</summary>
    public string? LocalXdsPath { get; init; }

    /// <summary>LOCAL_XDS: the same content inline.</summary>
    public string? LocalXds { get; init; }

    /// <summary>XDS_HEADER_*: names in lower case. Values are secrets.</summary>
    public ImmutableArray<SecretHeader> XdsHeaders { get; init; } = [];

    /// <summary>CA_HEADER_*.</summary>
    public ImmutableArray<SecretHeader> CaHeaders { get; init; } = [];

    /// <summary>CRL_PATH: turns on revocation checking; empty is unset.</summary>
    public string? CrlPath { get; init; }

    /// <summary>TLS12_ENABLED: towards the control plane. Between workloads ours speaks TLS 1.3 only and says so in a warning.</summary>
    public bool Tls12Requested { get; init; }

    /// <summary>COMPLIANCE_POLICY: <c>pqc</c> forces the hybrid post-quantum group between workloads.</summary>
    public bool PostQuantumOnly { get; init; }

    public static ControlPlaneSettings Read(SettingReader reader, ProxyConfig config)
    {
        bool fakeCa = reader.Flag("FAKE_CA", fallback: false);
        string istiod = reader.OptionalText("KUBERNETES_SERVICE_HOST") is null ? "https://localhost:15012" : "https://istiod.istio-system.svc:15012";
        var settings = new ControlPlaneSettings
        {
            XdsAddress = Address(reader, "XDS_ADDRESS", config.DiscoveryAddress ?? istiod),
            CaAddress = fakeCa ? null : Address(reader, "CA_ADDRESS", istiod),
            XdsRoot = RootSource.Parse(reader.Text("XDS_ROOT_CA", DefaultRoot)),
            CaRoot = RootSource.Parse(reader.Text("CA_ROOT_CA", DefaultRoot)),
            AltXdsHostname = reader.NonEmptyText("ALT_XDS_HOSTNAME"),
            AltCaHostname = reader.NonEmptyText("ALT_CA_HOSTNAME"),
            Token = reader.OptionalText("AUTH_TOKEN") is { } token ? new TokenSource(token, IsDefault: false) : new TokenSource(DefaultToken, IsDefault: true),
            ClusterId = reader.OptionalText("ISTIO_META_CLUSTER_ID") ?? reader.Text("CLUSTER_ID", "Kubernetes"),
            ClusterDomain = reader.Text("CLUSTER_DOMAIN", "cluster.local"),
            TrustDomain = reader.Text("TRUST_DOMAIN", "cluster.local"),
            SecretTtl = reader.Duration("SECRET_TTL", TimeSpan.FromHours(24)),
            FakeCa = fakeCa,
            FakeCaRootPath = reader.NonEmptyText("ZTUNNEL_FAKE_CA_ROOT") ?? DefaultEmbeddedRoot,
            KeyLogPath = reader.NonEmptyText("ZTUNNEL_KEY_LOG_FILE"),
            OnDemand = reader.Flag("XDS_ON_DEMAND", fallback: false),
            LocalXdsPath = reader.NonEmptyText("LOCAL_XDS_PATH"),
            LocalXds = reader.NonEmptyText("LOCAL_XDS"),
            XdsHeaders = SecretHeader.Read(reader, "XDS_HEADER_"),
            CaHeaders = SecretHeader.Read(reader, "CA_HEADER_"),
            CrlPath = reader.NonEmptyText("CRL_PATH"),
            Tls12Requested = reader.OptionalText("TLS12_ENABLED") == "true",
            PostQuantumOnly = reader.OptionalText("COMPLIANCE_POLICY") == "pqc",
        };
        if (settings is { LocalXdsPath: not null, LocalXds: not null })
            reader.Contradiction("only one of LOCAL_XDS_PATH or LOCAL_XDS may be set");
        if (!fakeCa && reader.OptionalText("CA_ADDRESS") == "")
            reader.Contradiction("CA_ADDRESS is empty; expected the address of a certificate authority, or FAKE_CA=true");
        if (settings.SecretTtl <= TimeSpan.Zero)
            reader.Invalid("SECRET_TTL", reader.Text("SECRET_TTL", ""), "expected more than 0");
        RequireText(reader, "XDS_ROOT_CA", isUsed: settings.XdsAddress is not null, "a path, SYSTEM or PEM text");
        RequireText(reader, "CA_ROOT_CA", isUsed: settings.CaAddress is not null, "a path, SYSTEM or PEM text");
        RequireText(reader, "AUTH_TOKEN", isUsed: settings.XdsAddress is not null || settings.CaAddress is not null, "a path or a token");
        return settings;
    }

    private static void RequireText(SettingReader reader, string name, bool isUsed, string expected)
    {
        if (isUsed && reader.OptionalText(name) == "")
            reader.Invalid(name, "", $"expected {expected}");
    }

    // The port matters: 443, which https implies, is nobody's control plane, but it is what the text says.
    private static Uri? Address(SettingReader reader, string name, string fallback)
    {
        string value = reader.Text(name, fallback);
        if (value.Length == 0)
            return null;
        string text = value.Contains("://", StringComparison.Ordinal) ? value : "https://" + value;
        if (Uri.TryCreate(text, UriKind.Absolute, out Uri? address) && address.UserInfo.Length > 0)
        {
            reader.Invalid(name, WithoutUserInfo(value), "a user name or password has no place in it; AUTH_TOKEN says who we are");
            return null;
        }

        if (address is not null && address.Scheme == Uri.UriSchemeHttps && address.Host.Length > 0)
            return address;
        reader.Invalid(name, WithoutUserInfo(value), "expected host:port or https://host:port; plain http is refused");
        return null;
    }

    // A password is a secret also where the rest of the text is no address. It may hold any character, so all up to the last '@' goes.
    private static string WithoutUserInfo(string value)
    {
        int scheme = value.IndexOf("://", StringComparison.Ordinal);
        int begin = scheme < 0 ? 0 : scheme + "://".Length;
        int end = value.LastIndexOf('@') + 1;
        return end <= begin ? value : string.Concat(value.AsSpan(0, begin), value.AsSpan(end));
    }
}
