using System.Buffers.Binary;
using System.Diagnostics;
using System.Security.Cryptography;

namespace Ztunnel.Tls.Records;

/// <summary>HKDF-Expand-Label (RFC 8446 7.1) with an empty context, the only form that the record layer needs.</summary>
internal static class KeySchedule
{
    private static ReadOnlySpan<byte> Prefix => "tls13 "u8;

    internal static void Key(CipherSuite suite, ReadOnlySpan<byte> secret, Span<byte> key) => ExpandLabel(suite, secret, "key"u8, key);

    internal static void Iv(CipherSuite suite, ReadOnlySpan<byte> secret, Span<byte> iv) => ExpandLabel(suite, secret, "iv"u8, iv);

    /// <summary>application_traffic_secret_N+1 (RFC 8446 7.2). The two spans must not overlap.</summary>
    internal static void NextSecret(CipherSuite suite, ReadOnlySpan<byte> secret, Span<byte> next) => ExpandLabel(suite, secret, "traffic upd"u8, next);

    private static void ExpandLabel(CipherSuite suite, ReadOnlySpan<byte> secret, ReadOnlySpan<byte> label, Span<byte> output)
    {
        Debug.Assert(label.Length <= 16, $"a label of {label.Length} bytes");

        // struct { uint16 length; opaque label<7..255>; opaque context<0..255>; } HkdfLabel
        Span<byte> info = stackalloc byte[2 + 1 + 6 + 16 + 1];
        BinaryPrimitives.WriteUInt16BigEndian(info, (ushort)output.Length);
        info[2] = (byte)(Prefix.Length + label.Length);
        Prefix.CopyTo(info[3..]);
        label.CopyTo(info[(3 + Prefix.Length)..]);
        int length = 3 + Prefix.Length + label.Length;
        info[length++] = 0;
        HKDF.Expand(suite.Hash, secret, output, info[..length]);
    }
}
