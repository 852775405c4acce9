using System.Buffers.Binary;

namespace Ztunnel.Tls.Tests.Hostile;

/// <summary>
/// A ClientHello taken apart, to be put together wrong (RFC 8446 4.1.2). All of it lies in one record:
/// <code>
/// | record 5 | type 1 | length 3 | version 2 | random 32 | session id 1+n | suites 2+n | compression 1+n | extensions 2+n |
/// </code>
/// </summary>
internal sealed class HelloParts
{
    internal const ushort Groups = 10, SignatureAlgorithms = 13, Alpn = 16, Versions = 43, KeyShare = 51;

    private byte[] _front = [];

    internal byte[] SessionId { get; set; } = [];

    internal byte[] Suites { get; set; } = [];

    internal byte[] Compression { get; set; } = [];

    internal List<(ushort Type, byte[] Value)> Extensions { get; } = [];

    /// <summary>By how much the last extension's length exceeds it.</summary>
    internal int LastExtensionExcess { get; set; }

    /// <summary>What stands in the message behind the extensions.</summary>
    internal byte[] Behind { get; set; } = [];

    internal static HelloParts Read(byte[] record)
    {
        var parts = new HelloParts { _front = record[9..43] };
        ReadOnlySpan<byte> rest = record.AsSpan(43);
        parts.SessionId = rest.Slice(1, rest[0]).ToArray();
        rest = rest[(1 + rest[0])..];
        parts.Suites = Take(ref rest);
        parts.Compression = rest.Slice(1, rest[0]).ToArray();
        rest = rest[(1 + rest[0])..];
        rest = Take(ref rest);
        while (!rest.IsEmpty)
        {
            ushort type = BinaryPrimitives.ReadUInt16BigEndian(rest);
            rest = rest[2..];
            parts.Extensions.Add((type, Take(ref rest)));
        }

        return parts;
    }

    internal int IndexOf(ushort type) => Extensions.FindIndex(extension => extension.Type == type);

    internal byte[] Write()
    {
        byte[] extensions =
        [
            .. Extensions.SelectMany((extension, i) => (byte[])[.. Number(extension.Type), .. Number(extension.Value.Length + (i == Extensions.Count - 1 ? LastExtensionExcess : 0)), .. extension.Value]),
        ];
        byte[] body =
        [
            .. _front, (byte)SessionId.Length, .. SessionId, .. Number(Suites.Length), .. Suites, (byte)Compression.Length, .. Compression, .. Number(extensions.Length), .. extensions, .. Behind,
        ];
        return [22, 3, 1, .. Number(body.Length + 4), 1, 0, .. Number(body.Length), .. body];
    }

    private static byte[] Number(int value) => [(byte)(value >> 8), (byte)value];

    private static byte[] Take(ref ReadOnlySpan<byte> rest)
    {
        int length = BinaryPrimitives.ReadUInt16BigEndian(rest);
        byte[] taken = rest.Slice(2, length).ToArray();
        rest = rest[(2 + length)..];
        return taken;
    }
}
