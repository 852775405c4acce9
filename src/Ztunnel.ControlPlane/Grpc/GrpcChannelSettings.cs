namespace Ztunnel.ControlPlane.Grpc;

/// <summary>Where a control-plane server is, how it proves itself and how we do (control-path 3.1).</summary>
public sealed record GrpcChannelSettings
{
    /// <summary>https only.</summary>
    public required Uri Address { get; init; }

    public required TrustRoots Roots { get; init; }

    /// <summary>Accepted when the name in <see cref="Address"/> is not in the server's certificate. ALT_XDS_HOSTNAME, ALT_CA_HOSTNAME.</summary>
    public string? AlternativeHostName { get; init; }

    /// <summary>Sent as <c>authorization</c>, with <see cref="ClusterId"/> beside it. Null: neither is sent.</summary>
    public BearerToken? Token { get; init; }

    public string ClusterId { get; init; } = "Kubernetes";

    /// <summary>XDS_HEADER_*, CA_HEADER_*: names in lower case. Values may be secrets and are never logged.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>TLS12_ENABLED: TLS 1.2 beside 1.3.</summary>
    public bool AllowTls12 { get; init; }

    /// <summary>SO_MARK of the connection: in a namespace whose traffic is redirected to this process, it would else wait for itself. Null: none is set.</summary>
    public uint? Mark { get; init; }

    /// <summary>Name resolution, TCP and TLS together (control-path 12, W-6).</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Silence after which the server is asked whether it is still there, while a call is open.</summary>
    public TimeSpan KeepAliveDelay { get; init; } = TimeSpan.FromSeconds(30);

    public TimeSpan KeepAliveTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>A first push of 100,000 workloads is tens of MiB in one message.</summary>
    public int MaxMessageBytes { get; init; } = 200 * 1024 * 1024;
}
