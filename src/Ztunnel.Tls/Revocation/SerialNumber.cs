using System.Buffers.Binary;

namespace Ztunnel.Tls.Revocation;

/// <summary>A certificate's serial number as a value: lists hold many of them. RFC 5280 4.1.2.2 allows 20 bytes; 32 are room enough for those who take more.</summary>
internal readonly record struct SerialNumber(UInt128 High, UInt128 Low)
{
    internal const int MaxBytes = 32;

    /// <summary>Reads the content of an INTEGER; false when it is longer than any serial number in use.</summary>
    internal static bool TryRead(ReadOnlySpan<byte> content, out SerialNumber serial)
    {
        ReadOnlySpan<byte> digits = content.TrimStart((byte)0);
        if (digits.Length > MaxBytes)
        {
            serial = default;
            return false;
        }

        Span<byte> padded = stackalloc byte[MaxBytes];
        padded.Clear();
        digits.CopyTo(padded[(MaxBytes - digits.Length)..]);
        serial = new SerialNumber(BinaryPrimitives.ReadUInt128BigEndian(padded), BinaryPrimitives.ReadUInt128BigEndian(padded[16..]));
        return true;
    }
}
