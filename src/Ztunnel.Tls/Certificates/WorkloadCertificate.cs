using System.Collections.Immutable;
using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Ztunnel.Mesh.Identity;
using Ztunnel.Tls.Handshake;

namespace Ztunnel.Tls.Certificates;

/// <summary>
/// One issued certificate with its key, its chain and the roots that came with it, ready for handshakes in both roles. Immutable and shared by all loops; a renewal is another object.
/// The library's context (25 to 30 KiB) is made at the first handshake, since a node holds certificates of many pods at rest. A handshake keeps it alive on its own, so that the store
/// may simply forget an old certificate; disposing gives the native memory back at once.
/// </summary>
public sealed class WorkloadCertificate : IDisposable
{
    // PKCS#8; lives only in this process's memory.
    private readonly byte[] _privateKey;
    private readonly TlsSettings _settings;
    private readonly Lock _making = new();
    private TlsContext? _context;
    private bool _disposed;
    // Written by the store, read by every loop.
    private volatile bool _superseded;

    private WorkloadCertificate(
        SpiffeId identity,
        X509Certificate2 leaf,
        ImmutableArray<ReadOnlyMemory<byte>> intermediates,
        ImmutableArray<ReadOnlyMemory<byte>> roots,
        byte[] privateKey,
        TlsSettings settings)
    {
        _privateKey = privateKey;
        _settings = settings;
        Identity = identity;
        Leaf = leaf.RawData;
        Intermediates = intermediates;
        Roots = roots;
        NotBefore = leaf.NotBefore;
        NotAfter = leaf.NotAfter;
        SerialNumber = new BigInteger(leaf.SerialNumberBytes.Span, isUnsigned: true, isBigEndian: true).ToString(CultureInfo.InvariantCulture);
        LeafIdentity = ReadIdentity(leaf);
    }

    /// <summary>Whom it was asked for.</summary>
    public SpiffeId Identity { get; }

    /// <summary>The first SPIFFE identity that the leaf carries; null when it has none.</summary>
    public SpiffeId? LeafIdentity { get; }

    public ReadOnlyMemory<byte> Leaf { get; }

    /// <summary>Sent behind the leaf.</summary>
    public ImmutableArray<ReadOnlyMemory<byte>> Intermediates { get; }

    /// <summary>What peers are verified against; not sent.</summary>
    public ImmutableArray<ReadOnlyMemory<byte>> Roots { get; }

    public DateTimeOffset NotBefore { get; }

    public DateTimeOffset NotAfter { get; }

    /// <summary>Decimal and unsigned, as dumps print it.</summary>
    public string SerialNumber { get; }

    /// <summary>
    /// Whether a newer certificate of the same identity, with the roots that came with it, has taken the place of this one. New handshakes use that one; a tunnel that was opened with
    /// this one takes no further streams and closes behind those it has, so that no tunnel outlives its proof of identity for long. It never becomes false again.
    /// </summary>
    public bool IsSuperseded => _superseded;

    internal TlsSettings Settings => _settings;

    /// <summary>The context of both roles, made when it is first asked for.</summary>
    internal TlsContext Context
    {
        get
        {
            if (Volatile.Read(ref _context) is { } made) return made;
            lock (_making)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                return _context ??= TlsContext.Create(Leaf.Span, Intermediates, Roots, _privateKey, _settings);
            }
        }
    }

    /// <summary>Makes one from its parts, all DER, the key PKCS#8.</summary>
    /// <exception cref="Interop.OpenSslException">The parts are not usable or do not belong together.</exception>
    public static WorkloadCertificate Create(
        SpiffeId identity,
        ReadOnlyMemory<byte> leaf,
        ImmutableArray<ReadOnlyMemory<byte>> intermediates,
        ImmutableArray<ReadOnlyMemory<byte>> roots,
        ReadOnlySpan<byte> privateKey,
        TlsSettings settings)
    {
        using X509Certificate2 parsed = X509CertificateLoader.LoadCertificate(leaf.Span);
        // Made once for its judgement: what is wrong with an answer of the authority must show now, when it can be asked again, and not at somebody's first connection.
        TlsContext.Create(leaf.Span, intermediates, roots, privateKey, settings).Dispose();
        return new WorkloadCertificate(identity, parsed, intermediates, roots, privateKey.ToArray(), settings);
    }

    public void Dispose()
    {
        lock (_making)
        {
            _disposed = true;
            CryptographicOperations.ZeroMemory(_privateKey);
            _context?.Dispose();
        }
    }

    internal void Supersede() => _superseded = true;

    /// <summary>The first SPIFFE identity among the URI names of a certificate.</summary>
    internal static SpiffeId? ReadIdentity(X509Certificate2 certificate)
    {
        X509Extension? names = certificate.Extensions["2.5.29.17"];
        if (names is null) return null;
        ImmutableArray<SpiffeId> identities = UriNames.Identities(UriNames.Read(names.RawData));
        return identities.IsEmpty ? null : identities[0];
    }
}
