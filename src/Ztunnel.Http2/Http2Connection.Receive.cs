using System.Runtime.CompilerServices;
using Ztunnel.Http2.Connection;
using Ztunnel.Http2.Frames;

namespace Ztunnel.Http2;

/// <summary>What arrives, byte by byte: preface, frame headers, DATA payload reported in place, other payloads collected when they are split.</summary>
public sealed partial class Http2Connection
{
    private enum ReceivePhase : byte
    {
        /// <summary>Server: the client's 24 fixed bytes.</summary>
        Preface,

        /// <summary>Nine bytes of the next frame.</summary>
        Header,

        /// <summary>The first byte of padded DATA: how much padding ends the frame.</summary>
        PadLength,

        /// <summary>DATA payload, reported as it comes.</summary>
        Data,

        /// <summary>The payload of any other frame we read.</summary>
        Payload,

        /// <summary>Padding, and frames or parts of them that nobody wants.</summary>
        Skip,
    }

    [InlineArray(FrameHeader.Bytes)]
    private struct HeaderBytes
    {
        private byte _first;
    }

    private const int MaxGoAwayDebugBytes = 128;
    private const int SmallFrameBytes = 4 * 1024;
    private const int SmallFramesInARow = 16;

    private HeaderBytes _headerBytes;
    private PayloadBuffer _payload;
    private FrameHeader _frame;
    private Http2Stream? _dataStream;
    private ReceivePhase _phase;

    /// <summary>Bytes of the preface or of a frame header that came in earlier calls.</summary>
    private int _headBytes;

    /// <summary>Bytes missing to the end of the current phase.</summary>
    private int _remaining;
    private int _padding;

    /// <summary>
    /// Takes decrypted bytes, cut anywhere, and raises the events they contain. Offsets of payload count from <paramref name="baseOffset"/>. Whatever the peer sends, nothing is
    /// thrown: a connection error queues GOAWAY and is returned, now and from then on.
    /// </summary>
    public Http2ReceiveResult Receive(ReadOnlySpan<byte> plaintext, int baseOffset)
    {
        _guard.BeginReceive();
        _acceptedBefore = _lastPeerStreamId;
        int position = 0;
        while (position < plaintext.Length && !_result.IsClosed)
        {
            ReadOnlySpan<byte> rest = plaintext[position..];
            position += _phase switch
            {
                ReceivePhase.Header => ReadHeader(rest),
                ReceivePhase.Data => ReadData(rest, baseOffset + position),
                ReceivePhase.Payload => ReadPayload(rest),
                ReceivePhase.Skip => ReadSkipped(rest),
                ReceivePhase.PadLength => ReadPadLength(rest[0]),
                _ => ReadPreface(rest),
            };
        }
        if (!_result.IsClosed && (_control.Answers > _settings.Limits.QueuedAnswers || _control.QueuedBytes > _settings.Limits.QueuedControlBytes))
            Calm("too_many_unread_answers");
        return _result;
    }

    private int ReadPreface(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> expected = FrameLimits.ClientPreface[_headBytes..];
        int count = Math.Min(expected.Length, bytes.Length);
        if (!bytes[..count].SequenceEqual(expected[..count]))
        {
            // data-path 3.2: whoever speaks another protocol is not answered in this one.
            _result = new Http2ReceiveResult(true, Http2ErrorCode.ProtocolError, "no HTTP/2 preface");
            return count;
        }
        _headBytes += count;
        if (_headBytes == FrameLimits.ClientPreface.Length)
        {
            _headBytes = 0;
            _phase = ReceivePhase.Header;
            AnnounceConnectionWindow();
        }
        return count;
    }

    private int ReadHeader(ReadOnlySpan<byte> bytes)
    {
        if (_headBytes == 0 && bytes.Length >= FrameHeader.Bytes)
        {
            BeginFrame(FrameHeader.Read(bytes));
            return FrameHeader.Bytes;
        }
        Span<byte> head = _headerBytes;
        int count = Math.Min(FrameHeader.Bytes - _headBytes, bytes.Length);
        bytes[..count].CopyTo(head[_headBytes..]);
        _headBytes += count;
        if (_headBytes == FrameHeader.Bytes)
        {
            _headBytes = 0;
            BeginFrame(FrameHeader.Read(head));
        }
        return count;
    }

    private void BeginFrame(FrameHeader frame)
    {
        _keepAlive.FrameReceived();
        _frame = frame;
        if (frame.Length > _settings.MaxFrameBytes)
            Fail(Http2ErrorCode.FrameSizeError, $"frame of {frame.Length} bytes");
        else if (_sectionStreamId != 0 && (frame.Type != FrameType.Continuation || frame.StreamId != _sectionStreamId))
            Fail(Http2ErrorCode.ProtocolError, "header section interrupted");    // RFC 9113 4.3
        else if (!_peer.Received && (frame.Type != FrameType.Settings || frame.Has(FrameFlags.Ack)))
            Fail(Http2ErrorCode.ProtocolError, "first frame is not SETTINGS");    // RFC 9113 3.4
        else if (frame.Type == FrameType.Data)
            BeginData(frame);
        else
            BeginPayload(frame);
    }

    private void BeginPayload(FrameHeader frame)
    {
        switch (CheckFrame(frame))
        {
            case FrameUse.Read:
                _phase = ReceivePhase.Payload;
                _remaining = frame.Type == FrameType.GoAway ? Math.Min(frame.Length, GoAwayFixedBytes + MaxGoAwayDebugBytes) : frame.Length;
                if (_remaining == 0)
                    EndPayload([]);
                break;
            case FrameUse.Skip:
                Skip(frame.Length);
                break;
        }
    }

    private int ReadPayload(ReadOnlySpan<byte> bytes)
    {
        if (_payload.Length == 0 && bytes.Length >= _remaining)
        {
            int whole = _remaining;
            EndPayload(bytes[..whole]);
            return whole;
        }
        int count = Math.Min(_remaining - _payload.Length, bytes.Length);
        _payload.Append(bytes[..count]);
        if (_payload.Length == _remaining)
        {
            EndPayload(_payload.Span);
            _payload.Release();
        }
        return count;
    }

    private void EndPayload(ReadOnlySpan<byte> payload)
    {
        Skip(_frame.Length - payload.Length);
        OnFrame(_frame, payload);
    }

    private void Skip(int bytes)
    {
        _remaining = bytes;
        _phase = bytes == 0 ? ReceivePhase.Header : ReceivePhase.Skip;
    }

    private int ReadSkipped(ReadOnlySpan<byte> bytes)
    {
        int count = Math.Min(_remaining, bytes.Length);
        _remaining -= count;
        if (_remaining == 0)
            EndSkipped();
        return count;
    }

    private void EndSkipped()
    {
        _phase = ReceivePhase.Header;
        if (_dataStream is not null)
            EndData();
    }

    /// <summary>Flow control counts the whole frame at once, padding included (RFC 9113 6.9.1); an overrun is seen before any of it is passed on.</summary>
    private void BeginData(FrameHeader frame)
    {
        if (!CheckStreamId(frame))
            return;
        if (!_receiveWindow.TryTake(frame.Length))
        {
            Fail(Http2ErrorCode.FlowControlError, "connection window overrun");
            return;
        }
        _flight.Arrived(frame.Length);
        Http2Stream? stream = _streams.Find(frame.StreamId);
        if (stream is null || !AcceptsData(stream, frame))
        {
            _receiveWindow.Consume(frame.Length);
            Skip(frame.Length);
            if (stream is null)
                OnClosedStreamData(frame.StreamId);
            return;
        }
        NoteSize(stream, frame);
        _padding = 0;
        _remaining = frame.Length;
        _dataStream = stream;
        if (frame.Has(FrameFlags.Padded))
        {
            _phase = ReceivePhase.PadLength;
            if (frame.Length == 0)
                Fail(Http2ErrorCode.FrameSizeError, "padded DATA without pad length");
        }
        else if (frame.Length > 0)
        {
            _phase = ReceivePhase.Data;
        }
        else if (BearsEmptyData())
        {
            _phase = ReceivePhase.Header;
            EndData();
        }
    }

    /// <summary>
    /// Tells streams that say little, for whom windows are kept small, from bulk. Bulk has small frames too, at the end of what one read brought, but not several in a row;
    /// a short request that ends its stream says it with fewer.
    /// </summary>
    private void NoteSize(Http2Stream stream, FrameHeader frame)
    {
        if (frame.Length >= SmallFrameBytes)
            stream.SmallFrames = 0;
        else if (frame.Length > 0 && stream.SmallFrames < SmallFramesInARow)
            stream.SmallFrames++;
        if (stream.SmallFrames == SmallFramesInARow || (stream.SmallFrames > 0 && frame.Has(FrameFlags.EndStream)))
            _flight.SmallStreamSeen();
    }

    private int ReadPadLength(byte padding)
    {
        _remaining--;
        if (padding > _remaining)
        {
            Fail(Http2ErrorCode.ProtocolError, "padding larger than its frame");    // RFC 9113 6.1
            return 1;
        }
        _padding = padding;
        _remaining -= padding;
        Credit(_dataStream!, padding + 1);
        _phase = ReceivePhase.Data;
        if (_remaining == 0 && BearsEmptyData())
            EndPayloadOfData();
        return 1;
    }

    /// <summary>DATA that brings neither a byte nor an end is work for nothing.</summary>
    private bool BearsEmptyData() => _frame.Has(FrameFlags.EndStream) || _guard.TakeEmptyData() || Fail(Http2ErrorCode.EnhanceYourCalm, "too_many_empty_frames");

    private int ReadData(ReadOnlySpan<byte> bytes, int offset)
    {
        int count = Math.Min(_remaining, bytes.Length);
        _remaining -= count;

        // The owner may have reset the stream since the frame began: its bytes went back to the connection window then.
        Http2Stream stream = _dataStream!;
        if (stream.State != Http2StreamState.Closed)
            _events.OnData(stream, offset, count);
        if (_remaining == 0)
            EndPayloadOfData();
        return count;
    }

    private void EndPayloadOfData()
    {
        if (_padding == 0)
        {
            _phase = ReceivePhase.Header;
            EndData();
            return;
        }
        Skip(_padding);
    }

    private void EndData()
    {
        Http2Stream stream = _dataStream!;
        _dataStream = null;
        if (_frame.Has(FrameFlags.EndStream) && stream.State != Http2StreamState.Closed && !_result.IsClosed)
            EndRemote(stream);
    }
}
