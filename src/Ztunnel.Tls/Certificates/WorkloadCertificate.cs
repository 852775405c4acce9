using System.Collections.Immutable;
using System.Globalization;
using System.Numerics;
using System.Security.Cryptography.X509Certificates;
using Ztunnel.Mesh.Identity;
using Ztunnel.Tls.Handshake;

namespace Ztunnel.Tls.Certificates;

/// <summary>
/// One issued certificate with its key, its chain and the roots that came with it, ready for handshakes in both roles. Immutable and shared by all loops; a renewal is another object.
/// A handshake keeps the library's context alive on its own, so that the store may simply forget an old certificate; disposing gives the native memory back at once.
/// </summary>
public sealed class WorkloadCertificate : IDisposable
{
    private WorkloadCertificate(
        SpiffeId identity, X509Certificate2 leaf, ImmutableArray<ReadOnlyMemory<byte>> intermediates, ImmutableArray<ReadOnlyMemory<byte>> roots, TlsContext context)
    {
        Identity = identity;
        Leaf = leaf.RawData;
        Intermediates = intermediates;
        Roots = roots;
        NotBefore = leaf.NotBefore;
        NotAfter = leaf.NotAfter;
        SerialNumber = new BigInteger(leaf.SerialNumberBytes.Span, isUnsigned: true, isBigEndian: true).ToString(CultureInfo.InvariantCulture);
        LeafIdentity = ReadIdentity(leaf);
        Context = context;
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

    internal TlsContext Context { get; }

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
        return new WorkloadCertificate(identity, parsed, intermediates, roots, TlsContext.Create(leaf.Span, intermediates, roots, privateKey, settings));
    }

    public void Dispose() => Context.Dispose();

    /// <summary>The first SPIFFE identity among the URI names of a certificate.</summary>
    internal static SpiffeId? ReadIdentity(X509Certificate2 certificate)
    {
        X509Extension? names = certificate.Extensions["2.5.29.17"];
        if (names is null) return null;
        ImmutableArray<SpiffeId> identities = UriNames.Identities(UriNames.Read(names.RawData));
        return identities.IsEmpty ? null : identities[0];
    }
}
