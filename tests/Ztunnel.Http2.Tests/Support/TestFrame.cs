using System.Buffers.Binary;
using System.Text;

namespace Ztunnel.Http2.Tests.Support;

/// <summary>A frame as bytes on the wire, built and read without the code under test. Types and flags are the numbers of RFC 9113.</summary>
internal sealed record TestFrame(byte Type, byte Flags, int StreamId, byte[] Payload)
{
    public const byte Data = 0, Headers = 1, Priority = 2, RstStream = 3, SettingsType = 4, PushPromise = 5, Ping = 6, GoAwayType = 7, WindowUpdateType = 8, Continuation = 9;
    public const byte EndStream = 1, Ack = 1, EndHeaders = 4, Padded = 8, PriorityFlag = 0x20;

    public static byte[] Preface => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray();

    public uint Code => BinaryPrimitives.ReadUInt32BigEndian(Payload.AsSpan(Type == GoAwayType ? 4 : 0));

    public int LastStreamId => BinaryPrimitives.ReadInt32BigEndian(Payload);

    public string Debug => Encoding.ASCII.GetString(Payload.AsSpan(8));

    public int Increment => BinaryPrimitives.ReadInt32BigEndian(Payload);

    public byte[] ToBytes()
    {
        var bytes = new byte[9 + Payload.Length];
        BinaryPrimitives.WriteInt32BigEndian(bytes, (Payload.Length << 8) | Type);
        bytes[4] = Flags;
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(5), StreamId);
        Payload.CopyTo(bytes, 9);
        return bytes;
    }

    public static List<TestFrame> ReadAll(ReadOnlySpan<byte> bytes)
    {
        var frames = new List<TestFrame>();
        while (!bytes.IsEmpty)
        {
            int length = BinaryPrimitives.ReadInt32BigEndian(bytes) >> 8 & 0xffffff;
            frames.Add(new TestFrame(bytes[3], bytes[4], BinaryPrimitives.ReadInt32BigEndian(bytes[5..]), bytes.Slice(9, length).ToArray()));
            bytes = bytes[(9 + length)..];
        }
        return frames;
    }

    public static TestFrame Settings(params (ushort Id, uint Value)[] parameters)
    {
        var payload = new byte[parameters.Length * 6];
        for (int i = 0; i < parameters.Length; i++)
        {
            BinaryPrimitives.WriteUInt16BigEndian(payload.AsSpan(i * 6), parameters[i].Id);
            BinaryPrimitives.WriteUInt32BigEndian(payload.AsSpan((i * 6) + 2), parameters[i].Value);
        }
        return new TestFrame(SettingsType, 0, 0, payload);
    }

    public static TestFrame DataOf(int streamId, int bytes, bool endStream = false) => new(Data, endStream ? EndStream : (byte)0, streamId, new byte[bytes]);

    public static TestFrame Reset(int streamId, Http2ErrorCode code) => new(RstStream, 0, streamId, Word((uint)code));

    public static TestFrame WindowUpdate(int streamId, uint increment) => new(WindowUpdateType, 0, streamId, Word(increment));

    public static TestFrame PingOf(ulong data, bool ack = false)
    {
        var payload = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(payload, data);
        return new TestFrame(Ping, ack ? Ack : (byte)0, 0, payload);
    }

    public static TestFrame GoAway(int last, Http2ErrorCode code) => new(GoAwayType, 0, 0, [.. Word((uint)last), .. Word((uint)code)]);

    /// <summary>Header fields as plain literals, not indexed, not Huffman coded.</summary>
    public static TestFrame HeadersOf(int streamId, bool endStream, params (string Name, string Value)[] fields) =>
        new(Headers, (byte)(EndHeaders | (endStream ? EndStream : 0)), streamId, Fields(fields));

    public static TestFrame Connect(int streamId, string authority = "10.0.0.2:8080", bool endStream = false) =>
        HeadersOf(streamId, endStream, (":method", "CONNECT"), (":authority", authority));

    public static TestFrame Ok(int streamId, bool endStream = false) => HeadersOf(streamId, endStream, (":status", "200"));

    public static byte[] Fields(params (string Name, string Value)[] fields)
    {
        var bytes = new List<byte>();
        foreach ((string name, string value) in fields)
        {
            bytes.Add(0);
            AddText(bytes, name);
            AddText(bytes, value);
        }
        return [.. bytes];
    }

    private static void AddText(List<byte> bytes, string text)
    {
        int length = text.Length;
        if (length < 127)
        {
            bytes.Add((byte)length);
        }
        else
        {
            bytes.Add(127);
            for (length -= 127; length >= 128; length >>= 7)
                bytes.Add((byte)(0x80 | (length & 0x7f)));
            bytes.Add((byte)length);
        }
        bytes.AddRange(Encoding.Latin1.GetBytes(text));
    }

    private static byte[] Word(uint value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return bytes;
    }
}
