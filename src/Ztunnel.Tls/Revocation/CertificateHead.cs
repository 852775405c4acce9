using System.Formats.Asn1;

namespace Ztunnel.Tls.Revocation;

/// <summary>
/// What a revocation list is searched by, read from the front of a certificate (RFC 5280 4.1): <c>SEQUENCE { SEQUENCE { [0] version, INTEGER serial, SEQUENCE algorithm, SEQUENCE issuer, … } … }</c>.
/// </summary>
internal readonly ref struct CertificateHead
{
    private static readonly Asn1Tag Version = new(TagClass.ContextSpecific, 0, isConstructed: true);

    private CertificateHead(SerialNumber serial, ReadOnlySpan<byte> issuer)
    {
        Serial = serial;
        Issuer = issuer;
    }

    internal SerialNumber Serial { get; }

    /// <summary>The issuer's name, encoded as it is.</summary>
    internal ReadOnlySpan<byte> Issuer { get; }

    /// <summary>False for what no verified certificate can be, and for serial numbers that no list can have.</summary>
    internal static bool TryRead(ReadOnlySpan<byte> der, out CertificateHead head)
    {
        head = default;
        try
        {
            ReadOnlySpan<byte> rest = Content(Content(der));
            if (AsnDecoder.ReadEncodedValue(rest, AsnEncodingRules.DER, out _, out _, out int version) == Version) rest = rest[version..];
            ReadOnlySpan<byte> number = AsnDecoder.ReadIntegerBytes(rest, AsnEncodingRules.DER, out int consumed);
            rest = rest[consumed..];
            AsnDecoder.ReadEncodedValue(rest, AsnEncodingRules.DER, out _, out _, out int algorithm);
            rest = rest[algorithm..];
            AsnDecoder.ReadEncodedValue(rest, AsnEncodingRules.DER, out _, out _, out int issuer);
            if (!SerialNumber.TryRead(number, out SerialNumber serial)) return false;
            head = new CertificateHead(serial, rest[..issuer]);
            return true;
        }
        catch (AsnContentException)
        {
            return false;
        }
    }

    private static ReadOnlySpan<byte> Content(ReadOnlySpan<byte> sequence)
    {
        AsnDecoder.ReadSequence(sequence, AsnEncodingRules.DER, out int offset, out int length, out _);
        return sequence.Slice(offset, length);
    }
}
