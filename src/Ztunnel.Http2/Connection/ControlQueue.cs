using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Ztunnel.Http2.Frames;

namespace Ztunnel.Http2.Connection;

/// <summary>
/// Frames without payload of applications, in the order in which they must leave, until the owner has room for them. The buffer is rented while there is something in it: an idle
/// connection holds none.
/// </summary>
internal sealed class ControlQueue
{
    private const int FirstRentBytes = 512;
    private const int MaxDebugBytes = 128;

    private byte[] _buffer = [];
    private int _start;
    private int _end;
    private bool _startsWithPreface;

    /// <summary>Bytes left of a frame whose beginning has been written already.</summary>
    private int _cutFrameBytes;

    public bool IsEmpty => _start == _end;

    /// <summary>Nothing may be written between the two parts of a frame that was larger than the owner's buffer.</summary>
    public bool IsInsideFrame => _cutFrameBytes > 0;

    /// <summary>Position behind the last queued byte, and behind the last written one, since the connection began.</summary>
    public long QueuedPosition { get; private set; }

    public long WrittenPosition => QueuedPosition - QueuedBytes;

    public int QueuedBytes => _end - _start;

    /// <summary>Frames waiting here because the peer made us answer.</summary>
    public int Answers { get; private set; }

    public void QueuePreface()
    {
        FrameLimits.ClientPreface.CopyTo(Reserve(FrameLimits.ClientPreface.Length));
        Commit(FrameLimits.ClientPreface.Length);
        _startsWithPreface = true;
    }

    public void QueueSettings(ReadOnlySpan<(SettingId Id, int Value)> parameters)
    {
        Span<byte> payload = Begin(FrameType.Settings, FrameFlags.None, streamId: 0, parameters.Length * 6);
        foreach ((SettingId id, int value) in parameters)
        {
            BinaryPrimitives.WriteUInt16BigEndian(payload, (ushort)id);
            BinaryPrimitives.WriteInt32BigEndian(payload[2..], value);
            payload = payload[6..];
        }
    }

    public void QueueSettingsAck()
    {
        Begin(FrameType.Settings, FrameFlags.Ack, streamId: 0, payloadBytes: 0);
        Answers++;
    }

    public void QueuePing(ulong data, bool ack)
    {
        BinaryPrimitives.WriteUInt64BigEndian(Begin(FrameType.Ping, ack ? FrameFlags.Ack : FrameFlags.None, streamId: 0, payloadBytes: 8), data);
        if (ack)
            Answers++;
    }

    public void QueueWindowUpdate(int streamId, int increment) =>
        BinaryPrimitives.WriteInt32BigEndian(Begin(FrameType.WindowUpdate, FrameFlags.None, streamId, payloadBytes: 4), increment);

    public void QueueReset(int streamId, Http2ErrorCode code)
    {
        BinaryPrimitives.WriteUInt32BigEndian(Begin(FrameType.RstStream, FrameFlags.None, streamId, payloadBytes: 4), (uint)code);
        Answers++;
    }

    public void QueueGoAway(int lastStreamId, Http2ErrorCode code, string? debug)
    {
        Span<byte> text = stackalloc byte[MaxDebugBytes];
        _ = Encoding.UTF8.TryGetBytes(debug, text, out int textBytes);
        Span<byte> payload = Begin(FrameType.GoAway, FrameFlags.None, streamId: 0, 8 + textBytes);
        BinaryPrimitives.WriteInt32BigEndian(payload, lastStreamId);
        BinaryPrimitives.WriteUInt32BigEndian(payload[4..], (uint)code);
        text[..textBytes].CopyTo(payload[8..]);
    }

    /// <summary>Room for a header section of at most so many bytes; <see cref="CommitHeaders"/> makes it a frame.</summary>
    public Span<byte> ReserveHeaders(int maxBytes) => Reserve(FrameHeader.Bytes + maxBytes)[FrameHeader.Bytes..];

    /// <summary>One HEADERS frame; where the section exceeds what the peer takes in one frame, CONTINUATION frames carry the rest.</summary>
    public void CommitHeaders(int streamId, int sectionBytes, bool endStream, int maxFrameBytes)
    {
        FrameFlags flags = endStream ? FrameFlags.EndStream : FrameFlags.None;
        if (sectionBytes <= maxFrameBytes)
        {
            FrameHeader.Write(_buffer.AsSpan(_end), sectionBytes, FrameType.Headers, flags | FrameFlags.EndHeaders, streamId);
            Commit(FrameHeader.Bytes + sectionBytes);
            return;
        }
        byte[] section = _buffer.AsSpan(_end + FrameHeader.Bytes, sectionBytes).ToArray();
        for (int at = 0; at < section.Length; at += maxFrameBytes)
        {
            int part = Math.Min(maxFrameBytes, section.Length - at);
            FrameFlags last = at + part == section.Length ? FrameFlags.EndHeaders : FrameFlags.None;
            section.AsSpan(at, part).CopyTo(Begin(at == 0 ? FrameType.Headers : FrameType.Continuation, (at == 0 ? flags : FrameFlags.None) | last, streamId, part));
        }
    }

    /// <summary>Whole frames as far as they fit. A first frame larger than <paramref name="destination"/> is cut; what remains comes first next time.</summary>
    public int WriteTo(Span<byte> destination)
    {
        int bytes = Math.Min(_cutFrameBytes, destination.Length);
        _cutFrameBytes -= bytes;
        while (_cutFrameBytes == 0 && _start + bytes < _end)
        {
            int frame = FrameBytesAt(_start + bytes);
            if (bytes > 0 && bytes + frame > destination.Length)
                break;
            _startsWithPreface = false;
            _cutFrameBytes = Math.Max(0, frame - destination.Length);
            bytes += frame - _cutFrameBytes;
        }
        _buffer.AsSpan(_start, bytes).CopyTo(destination);
        _start += bytes;
        if (_start == _end)
            Release();
        return bytes;
    }

    public void Clear()
    {
        QueuedPosition -= _end - _start;
        _cutFrameBytes = 0;
        _startsWithPreface = false;
        Release();
    }

    private int FrameBytesAt(int position) =>
        _startsWithPreface ? FrameLimits.ClientPreface.Length : FrameHeader.Bytes + FrameHeader.Read(_buffer.AsSpan(position)).Length;

    private Span<byte> Begin(FrameType type, FrameFlags flags, int streamId, int payloadBytes)
    {
        Span<byte> frame = Reserve(FrameHeader.Bytes + payloadBytes);
        FrameHeader.Write(frame, payloadBytes, type, flags, streamId);
        Commit(FrameHeader.Bytes + payloadBytes);
        return frame[FrameHeader.Bytes..];
    }

    private Span<byte> Reserve(int bytes)
    {
        if (_buffer.Length - _end < bytes)
        {
            int live = _end - _start;
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(FirstRentBytes, Math.Max(live + bytes, live * 2)));
            _buffer.AsSpan(_start, live).CopyTo(larger);
            if (_buffer.Length > 0)
                ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = larger;
            _start = 0;
            _end = live;
        }
        return _buffer.AsSpan(_end, bytes);
    }

    private void Commit(int bytes)
    {
        _end += bytes;
        QueuedPosition += bytes;
    }

    private void Release()
    {
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        _start = _end = 0;
        Answers = 0;
    }
}
