using System.Buffers.Binary;

namespace Ztunnel.Endurance.Load;

/// <summary>What the two applications do with a connection.</summary>
internal enum Verb : byte
{
    /// <summary>Both send at once; each ends its side when it is through.</summary>
    Both,

    /// <summary>The server answers when the client has ended its side.</summary>
    UpThenDown,

    /// <summary>The server sends, and ends its side, before the client sends anything.</summary>
    DownThenUp,

    /// <summary>What comes goes back, until the client ends its side.</summary>
    Echo,

    /// <summary>The client resets instead of ending: the server must see a reset, at whatever place.</summary>
    ClientResets,

    /// <summary>The server resets after half of what the client announced: the client must see that.</summary>
    ServerResets,
}

/// <summary>The first bytes of a connection. <c>magic:4 verb:4 seed:8 up:8 down:8</c></summary>
/// <param name="Verb">What happens.</param>
/// <param name="Seed">Of the bytes from the client; those from the server have its complement.</param>
/// <param name="Up">How many come from the client, this header not counted.</param>
/// <param name="Down">How many come from the server.</param>
internal readonly record struct Request(Verb Verb, ulong Seed, long Up, long Down)
{
    public const int Bytes = 32;
    private const uint Magic = 0x4B414F53;

    public ulong DownSeed => ~Seed;

    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], (uint)Verb);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], Seed);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[16..], Up);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[24..], Down);
    }

    /// <exception cref="MixUpException">These are not the first bytes of a connection of ours.</exception>
    public static Request Read(ReadOnlySpan<byte> bytes)
    {
        var request = new Request(
            (Verb)BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]), BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]), BinaryPrimitives.ReadInt64LittleEndian(bytes[16..]), BinaryPrimitives.ReadInt64LittleEndian(bytes[24..]));
        return BinaryPrimitives.ReadUInt32LittleEndian(bytes) == Magic ? request : throw new MixUpException($"a connection begins with {Convert.ToHexString(bytes)}");
    }
}

/// <summary>Bytes arrived that nobody sent there, or an orderly end came where there was none. Never excused by churn.</summary>
internal sealed class MixUpException(string message) : Exception(message);
