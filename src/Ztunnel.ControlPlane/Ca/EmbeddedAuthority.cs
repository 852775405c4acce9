using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging;
using Ztunnel.Mesh.Identity;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Handshake;

namespace Ztunnel.ControlPlane.Ca;

/// <summary>How the embedded authority works.</summary>
public sealed record EmbeddedAuthoritySettings
{
    /// <summary>Holds the root's key and certificate; created when absent. Processes that use one file trust each other.</summary>
    public required string RootFile { get; init; }

    /// <summary>SECRET_TTL.</summary>
    public TimeSpan CertificateLifetime { get; init; } = TimeSpan.FromHours(24);

    /// <summary>What all TLS contexts of the process share.</summary>
    public required TlsSettings Tls { get; init; }
}

/// <summary>Signs certificates in this process, for demonstrations and tests without a control plane (FAKE_CA, control-path 2.6). It signs any identity that is asked for.</summary>
public sealed class EmbeddedAuthority : ICertificateAuthority, IDisposable
{
    private readonly EmbeddedAuthoritySettings _settings;
    private readonly TimeProvider _time;
    private readonly EmbeddedRoot _root;

    /// <exception cref="AuthorityException">The root file cannot be created, read or used; the message names it.</exception>
    public EmbeddedAuthority(EmbeddedAuthoritySettings settings, TimeProvider time, ILogger logger)
    {
        _settings = settings;
        _time = time;
        _root = EmbeddedRoot.LoadOrCreate(settings.RootFile, time);
        CaLog.EmbeddedAuthorityInUse(logger, settings.RootFile);
        if (_root.IsExposed) CaLog.RootKeyExposed(logger, settings.RootFile);
    }

    // On the pool: callers may be event loops, and key generation and signing take about a millisecond.
    public Task<WorkloadCertificate> SignAsync(SpiffeId identity, CancellationToken cancellation) => Task.Run(() => Sign(identity), cancellation);

    private WorkloadCertificate Sign(SpiffeId identity)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 leaf = CertificateIssuing.Issue(_root.Certificate, key, identity, _time.GetUtcNow(), _settings.CertificateLifetime);
        byte[] privateKey = key.ExportPkcs8PrivateKey();
        try
        {
            return WorkloadCertificate.Create(identity, leaf.RawData, [], [_root.Certificate.RawData], privateKey, _settings.Tls);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(privateKey);
        }
    }

    public void Dispose() => _root.Dispose();
}
