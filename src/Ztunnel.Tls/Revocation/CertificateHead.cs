using System.Formats.Asn1;

namespace Ztunnel.Tls.Revocation;

/// <summary>
/// What a revocation list is searched by and how long a certificate is valid, read from its front (RFC 5280 4.1):
/// <c>SEQUENCE { SEQUENCE { [0] version, INTEGER serial, SEQUENCE algorithm, SEQUENCE issuer, SEQUENCE { Time notBefore, Time notAfter }, … } … }</c>.
/// </summary>
internal readonly ref struct CertificateHead
{
    private static readonly Asn1Tag Version = new(TagClass.ContextSpecific, 0, isConstructed: true);

    private readonly ReadOnlySpan<byte> _rest;

    private CertificateHead(SerialNumber serial, ReadOnlySpan<byte> issuer, ReadOnlySpan<byte> rest)
    {
        Serial = serial;
        Issuer = issuer;
        _rest = rest;
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
            head = new CertificateHead(serial, rest[..issuer], rest[issuer..]);
            return true;
        }
        catch (AsnContentException)
        {
            return false;
        }
    }

    /// <summary>From when, and until when, it is valid; false where that is not written as it should be.</summary>
    internal bool TryReadValidity(out DateTimeOffset notBefore, out DateTimeOffset notAfter)
    {
        notBefore = notAfter = default;
        try
        {
            ReadOnlySpan<byte> validity = Content(_rest);
            notBefore = ReadTime(validity, out int consumed);
            notAfter = ReadTime(validity[consumed..], out _);
            return true;
        }
        catch (AsnContentException)
        {
            return false;
        }
    }

    // RFC 5280 4.1.2.5: years before 2050 as UTCTime, where 50 to 99 are of the last century, the others as GeneralizedTime.
    private static DateTimeOffset ReadTime(ReadOnlySpan<byte> time, out int consumed) =>
        AsnDecoder.ReadEncodedValue(time, AsnEncodingRules.DER, out _, out _, out _).HasSameClassAndValue(Asn1Tag.UtcTime)
            ? AsnDecoder.ReadUtcTime(time, AsnEncodingRules.DER, out consumed, twoDigitYearMax: 2049)
            : AsnDecoder.ReadGeneralizedTime(time, AsnEncodingRules.DER, out consumed);

    private static ReadOnlySpan<byte> Content(ReadOnlySpan<byte> sequence)
    {
        AsnDecoder.ReadSequence(sequence, AsnEncodingRules.DER, out int offset, out int length, out _);
        return sequence.Slice(offset, length);
    }
}
