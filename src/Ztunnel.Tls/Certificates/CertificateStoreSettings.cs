using Ztunnel.Mesh.Routing;

namespace Ztunnel.Tls.Certificates;

/// <summary>How urgent a certificate is. Higher goes first.</summary>
public enum CertificatePriority
{
    /// <summary>A renewal or a retry; the only kind that is scheduled ahead.</summary>
    Background,

    /// <summary>A pod has arrived and will need it.</summary>
    Warmup,

    /// <summary>A connection waits for it.</summary>
    RealTime,
}

/// <summary>The numbers of control-path 7.5.</summary>
public sealed record CertificateStoreSettings
{
    /// <summary>Requests at the authority at the same time.</summary>
    public int MaxInFlight { get; init; } = 8;

    /// <summary>How long one request may take. An authority that hangs would otherwise hold its place for ever.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Delay after the first failure; it doubles with each one, give or take a fifth.</summary>
    public TimeSpan FirstRetry { get; init; } = TimeSpan.FromSeconds(1);

    public TimeSpan LongestRetry { get; init; } = TimeSpan.FromSeconds(150);

    /// <summary>No renewal comes sooner after an issue than this, however short-lived the certificate.</summary>
    public TimeSpan ShortestRenewal { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a certificate that nobody needs any more is kept: a rolling restart takes the last pod of an account away and brings the next.</summary>
    public TimeSpan KeepForgotten { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Identities at the same time; a node has as many as it has service accounts.</summary>
    public int MaxIdentities { get; init; } = 10_000;

    /// <summary>Spreads renewals and retries, so that a fleet does not ask in step.</summary>
    public IRandom Random { get; init; } = SystemRandom.Instance;
}
