using System.Collections.Immutable;
using System.Formats.Asn1;
using System.Text;
using Ztunnel.Mesh.Identity;

namespace Ztunnel.Tls.Certificates;

/// <summary>Reads the URI names of a subjectAltName extension (RFC 5280 4.2.1.6): a SEQUENCE of GeneralName, of which only [6] counts here.</summary>
internal static class UriNames
{
    private static readonly Asn1Tag UniformResourceIdentifier = new(TagClass.ContextSpecific, 6);

    /// <summary>The names in order; none when the extension is not what it should be.</summary>
    internal static ImmutableArray<string> Read(ReadOnlySpan<byte> extension)
    {
        ImmutableArray<string>.Builder names = ImmutableArray.CreateBuilder<string>(1);
        try
        {
            AsnDecoder.ReadSequence(extension, AsnEncodingRules.DER, out int offset, out int length, out _);
            // Two readers that differ about what belongs to an encoding differ about who somebody is.
            if (offset + length != extension.Length) return [];
            ReadOnlySpan<byte> rest = extension.Slice(offset, length);
            while (!rest.IsEmpty)
            {
                Asn1Tag tag = AsnDecoder.ReadEncodedValue(rest, AsnEncodingRules.DER, out int contentOffset, out int contentLength, out int consumed);
                ReadOnlySpan<byte> content = rest.Slice(contentOffset, contentLength);
                // A name with spaces, control or non-ASCII bytes is no URI; left in, it would travel into logs, metrics and headers.
                if (tag == UniformResourceIdentifier && content.IndexOfAnyExceptInRange((byte)0x21, (byte)0x7E) < 0) names.Add(Encoding.ASCII.GetString(content));

                rest = rest[consumed..];
            }
        }
        catch (AsnContentException)
        {
            return [];
        }

        return names.DrainToImmutable();
    }

    /// <summary>The extension's value for one name. Not by way of <see cref="Uri"/>, which would change it (case of the trust domain, escapes).</summary>
    /// <exception cref="FormatException">The name has characters that a URI cannot have.</exception>
    internal static byte[] Write(string name)
    {
        if (name.AsSpan().IndexOfAnyExceptInRange('\x21', '\x7E') >= 0) throw new FormatException($"not a URI: {name}");

        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteCharacterString(UniversalTagNumber.IA5String, name, UniformResourceIdentifier);
        }

        return writer.Encode();
    }

    /// <summary>Those of the names that are SPIFFE identities, in order (control-path 7.1).</summary>
    internal static ImmutableArray<SpiffeId> Identities(ImmutableArray<string> names)
    {
        ImmutableArray<SpiffeId>.Builder identities = ImmutableArray.CreateBuilder<SpiffeId>(names.Length);
        foreach (string name in names)
        {
            if (SpiffeId.TryParse(name, out SpiffeId? identity)) identities.Add(identity);
        }

        return identities.DrainToImmutable();
    }
}
