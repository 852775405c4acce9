using System.Formats.Asn1;
using Ztunnel.Tls.Interop;

namespace Ztunnel.Tls.Revocation;

/// <summary>
/// One revocation list (RFC 5280 5.1): whose, and which serial numbers. Whether it was really signed by an authority is asked when one of its numbers is met, since only then is that
/// authority's certificate at hand.
/// </summary>
internal sealed class RevocationList
{
    private const string IssuingDistributionPoint = "2.5.29.28";
    // An issuer's certificate may be renewed or cross-signed, so that several have the same name; a hostile peer cannot add to them.
    private const int MaxJudgedIssuers = 16;

    private static readonly Asn1Tag Extensions = new(TagClass.ContextSpecific, 0, isConstructed: true);
    private static readonly Asn1Tag IndirectList = new(TagClass.ContextSpecific, 4);

    private readonly byte[] _der;
    private readonly ReadOnlyMemory<byte> _issuer;
    private readonly HashSet<SerialNumber> _serials = [];
    private readonly Lock _judging = new();
    private readonly List<(ReadOnlyMemory<byte> Certificate, bool HasSigned)> _issuers = [];

    private RevocationList(byte[] der)
    {
        _der = der;
        var outer = new AsnReader(der, AsnEncodingRules.DER);
        AsnReader body = outer.ReadSequence().ReadSequence();
        outer.ThrowIfNotEmpty();
        if (body.PeekTag().HasSameClassAndValue(Asn1Tag.Integer)) body.ReadInteger();
        body.ReadSequence();
        _issuer = body.PeekEncodedValue();
        body.ReadSequence();
        ReadTime(body);
        if (body.HasData && body.PeekTag() is { TagClass: TagClass.Universal } tag && tag != Asn1Tag.Sequence) NextUpdate = ReadTime(body);
        if (body.HasData && body.PeekTag() == Asn1Tag.Sequence) ReadEntries(body.ReadSequence());
        if (body.HasData && body.PeekTag() == Extensions) ReadExtensions(body.ReadSequence(Extensions).ReadSequence());
        body.ThrowIfNotEmpty();
    }

    /// <summary>When its issuer meant to have replaced it; it is used beyond that all the same.</summary>
    internal DateTimeOffset? NextUpdate { get; }

    /// <summary>How many certificates it revokes.</summary>
    internal int Count => _serials.Count;

    /// <exception cref="FormatException">It is none, or one of a kind that we cannot apply; the message says why.</exception>
    internal static RevocationList Read(byte[] der)
    {
        RevocationList list;
        try
        {
            list = new RevocationList(der);
        }
        catch (AsnContentException malformed)
        {
            throw new FormatException($"not a certificate revocation list: {malformed.Message}", malformed);
        }

        // What the library will not read would look like a list whose signature is wrong, and revoke nothing.
        using CrlHandle native = NativeCertificates.ReadRevocationList(der);
        return native.IsInvalid ? throw new FormatException("not a certificate revocation list that OpenSSL can read") : list;
    }

    /// <summary>Whether it names a certificate of this number from an issuer of this name.</summary>
    internal bool Names(in CertificateHead certificate) => _serials.Contains(certificate.Serial) && certificate.Issuer.SequenceEqual(_issuer.Span);

    /// <summary>Whether the holder of this certificate has signed the list, and may sign lists. Another authority may have the same name.</summary>
    internal bool IsSignedBy(ReadOnlyMemory<byte> issuerCertificate)
    {
        lock (_judging)
        {
            foreach ((ReadOnlyMemory<byte> known, bool hasSigned) in _issuers)
            {
                if (known.Span.SequenceEqual(issuerCertificate.Span)) return hasSigned;
            }

            bool verdict = NativeCertificates.HasSignedRevocationList(issuerCertificate.Span, _der);
            if (_issuers.Count == MaxJudgedIssuers) _issuers.Clear();
            _issuers.Add((issuerCertificate, verdict));
            return verdict;
        }
    }

    private static DateTimeOffset ReadTime(AsnReader reader) =>
        reader.PeekTag().HasSameClassAndValue(Asn1Tag.UtcTime) ? reader.ReadUtcTime() : reader.ReadGeneralizedTime();

    private void ReadEntries(AsnReader entries)
    {
        while (entries.HasData)
        {
            AsnReader entry = entries.ReadSequence();
            if (!SerialNumber.TryRead(entry.ReadIntegerBytes().Span, out SerialNumber serial)) throw new FormatException($"a serial number of more than {SerialNumber.MaxBytes} bytes");
            ReadTime(entry);
            if (entry.HasData) RefuseCritical(entry.ReadSequence());
            entry.ThrowIfNotEmpty();
            _serials.Add(serial);
        }
    }

    private static void RefuseCritical(AsnReader extensions)
    {
        while (extensions.HasData)
        {
            (string id, bool critical, _) = ReadExtension(extensions);
            if (critical) throw new FormatException($"an entry with the critical extension {id}, which is not understood (indirect lists are not supported)");
        }
    }

    private static void ReadExtensions(AsnReader extensions)
    {
        while (extensions.HasData)
        {
            (string id, bool critical, byte[] value) = ReadExtension(extensions);
            // The scope of a list does not matter: what it names is revoked. Unless it names certificates of others, or only what changed since another list.
            if (id == IssuingDistributionPoint ? IsIndirect(value) : critical)
                throw new FormatException(id == IssuingDistributionPoint ? "an indirect list, which is not supported" : $"the critical extension {id}, which is not understood (delta lists are not supported)");
        }
    }

    private static (string Id, bool Critical, byte[] Value) ReadExtension(AsnReader extensions)
    {
        AsnReader extension = extensions.ReadSequence();
        string id = extension.ReadObjectIdentifier();
        bool critical = extension.PeekTag() == Asn1Tag.Boolean && extension.ReadBoolean();
        return (id, critical, extension.ReadOctetString());
    }

    private static bool IsIndirect(byte[] distributionPoint)
    {
        AsnReader fields = new AsnReader(distributionPoint, AsnEncodingRules.DER).ReadSequence();
        while (fields.HasData)
        {
            if (fields.PeekTag() == IndirectList) return fields.ReadBoolean(IndirectList);
            fields.ReadEncodedValue();
        }

        return false;
    }
}
