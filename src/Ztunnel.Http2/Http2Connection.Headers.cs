using System.Buffers;
using Ztunnel.Http2.Connection;
using Ztunnel.Http2.Frames;
using Ztunnel.Http2.Headers;
using Ztunnel.Http2.Hpack;

namespace Ztunnel.Http2;

/// <summary>HEADERS and CONTINUATION: requests, answers and trailers (RFC 9113 section 8).</summary>
public sealed partial class Http2Connection
{
    private const int PriorityBytes = 5;

    private PayloadBuffer _section;
    private int _sectionStreamId;    // a header section is open on this stream; 0: none
    private int _continuations;
    private bool _sectionEndsStream;

    /// <summary>Huffman may shorten a text to five eighths, so a list within the limit is never longer than this on the wire, and what is longer is refused unread.</summary>
    private int MaxSectionBytes => _settings.MaxHeaderListBytes * 2;

    private bool CheckHeaders(FrameHeader frame)
    {
        if (_section.Length + frame.Length > MaxSectionBytes)
            return Fail(Http2ErrorCode.EnhanceYourCalm, "header_section_too_large");
        if (frame.Type == FrameType.Continuation)
        {
            if (_sectionStreamId == 0)
                return Fail(Http2ErrorCode.ProtocolError, "CONTINUATION without HEADERS");
            return --_continuations >= 0 || Fail(Http2ErrorCode.EnhanceYourCalm, "too_many_continuations");
        }
        if (Role == Http2Role.Client || frame.StreamId == 0)
            return CheckStreamId(frame);
        return (frame.StreamId & 1) == 1 || Fail(Http2ErrorCode.ProtocolError, $"HEADERS on stream {frame.StreamId}");
    }

    private void OnHeaders(FrameHeader frame, ReadOnlySpan<byte> payload)
    {
        if (frame.Type == FrameType.Headers)
        {
            if (!TryStrip(frame, ref payload))
                return;
            _sectionEndsStream = frame.Has(FrameFlags.EndStream);
            _continuations = _settings.Limits.ContinuationsPerSection;
        }
        if (!frame.Has(FrameFlags.EndHeaders))
        {
            _sectionStreamId = frame.StreamId;
            _section.Append(payload);
            return;
        }
        if (_sectionStreamId == 0)
        {
            OnSection(frame.StreamId, payload);
            return;
        }
        _section.Append(payload);
        _sectionStreamId = 0;
        OnSection(frame.StreamId, _section.Span);
        _section.Release();
    }

    /// <summary>Padding and priority around the section (RFC 9113 6.2).</summary>
    private bool TryStrip(FrameHeader frame, ref ReadOnlySpan<byte> payload)
    {
        int padding = 0;
        if (frame.Has(FrameFlags.Padded))
        {
            if (payload.IsEmpty)
                return Fail(Http2ErrorCode.FrameSizeError, "padded HEADERS without pad length");
            padding = payload[0];
            payload = payload[1..];
        }
        int front = frame.Has(FrameFlags.Priority) ? PriorityBytes : 0;
        if (payload.Length < front)
            return Fail(Http2ErrorCode.FrameSizeError, "HEADERS shorter than their priority");
        if (payload.Length - front < padding)
            return Fail(Http2ErrorCode.ProtocolError, "padding larger than its frame");
        payload = payload[front..^padding];
        return true;
    }

    private void OnSection(int streamId, ReadOnlySpan<byte> section)
    {
        // Read whatever becomes of the stream: the tables of both ends must agree (RFC 9113 4.3).
        if (!TryReadSection(section, out FieldSection fields))
            return;
        if (_streams.Find(streamId) is { } stream)
            OnStreamSection(stream, fields);
        else if (Role == Http2Role.Server && streamId > _lastPeerStreamId)
            OnNewStream(streamId, fields);
        else if (!_resets.Contains(streamId))
            Fail(MayBeJumped ? Http2ErrorCode.ProtocolError : Http2ErrorCode.StreamClosed, $"HEADERS on closed stream {streamId}");
        else if (!_guard.TakeIgnoredFrame())
            Calm("too_many_ignored_frames");
    }

    /// <summary>
    /// RFC 9113 5.1.1: an identifier below the highest that was never used is PROTOCOL_ERROR, one whose stream has ended STREAM_CLOSED (5.1). Ended streams are not kept, but as long as the
    /// peer has used every identifier there is no doubt.
    /// </summary>
    private bool MayBeJumped => Role == Http2Role.Server && _peerStreams < (_lastPeerStreamId / 2) + 1;

    private bool TryReadSection(ReadOnlySpan<byte> section, out FieldSection fields)
    {
        fields = default;
        long maxReadBytes = (long)_settings.MaxHeaderListBytes * _settings.Limits.HeaderListExcess;
        byte[] scratch = ArrayPool<byte>.Shared.Rent(_hpack.ScratchBytes(section.Length));
        try
        {
            _hpack.BeginSection();
            string? error;
            while (_hpack.TryRead(ref section, scratch, out HeaderField field, out error))
            {
                if (!fields.Add(field, ref _texts, _settings.MaxHeaderListBytes))
                    return Fail(Http2ErrorCode.ProtocolError, "invalid header name");
                if (fields.ListBytes > maxReadBytes)
                    return Fail(Http2ErrorCode.EnhanceYourCalm, "header_list_too_large");
            }
            return error is null || Fail(Http2ErrorCode.CompressionError, error);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(scratch);
        }
    }

    private void OnNewStream(int streamId, in FieldSection fields)
    {
        _lastPeerStreamId = streamId;
        _peerStreams++;
        if (streamId > _shutdown.LastServedStreamId || ActiveStreams >= _settings.MaxConcurrentStreams)
        {
            CausedReset(streamId, Http2ErrorCode.RefusedStream);
        }
        else if (fields.IsTooLarge)
        {
            QueueResponse(streamId, status: 431, baggage: null, endStream: true);
            CausedReset(streamId, Http2ErrorCode.ProtocolError);
        }
        else if (!IsRequest(fields))
        {
            CausedReset(streamId, Http2ErrorCode.ProtocolError);
        }
        else
        {
            Accept(streamId, fields);
        }
    }

    private void Accept(int streamId, in FieldSection fields)
    {
        bool ends = _sectionEndsStream;
        var stream = new Http2Stream(this, streamId, owner: null, _peer.InitialWindow, _settings.FirstStreamWindowBytes);
        _streams.Add(stream);
        _events.OnRequest(stream, new Http2Request
        {
            Method = fields.Method!,
            Authority = fields.Authority ?? "",
            Baggage = fields.Baggage,
            Forwarded = fields.Forwarded,
            TraceParent = fields.TraceParent,
            ForwardedNetwork = fields.ForwardedNetwork,
            EndStream = ends,
        });
        if (ends && stream.State != Http2StreamState.Closed && !_result.IsClosed)
            EndRemote(stream);
    }

    /// <summary>RFC 9113 8.3.1 and 8.5: a CONNECT has neither :scheme nor :path, any other request has both.</summary>
    private static bool IsRequest(in FieldSection fields) =>
        !fields.IsMalformed && fields.Method is not null && fields.Status == 0 && !fields.HasProtocol
        && (fields.Method == "CONNECT" ? !fields.HasScheme && !fields.HasPath : fields.HasScheme && fields.HasPath);

    private void OnStreamSection(Http2Stream stream, in FieldSection fields)
    {
        if (stream.State == Http2StreamState.HalfClosedRemote)
            StreamError(stream, Http2ErrorCode.StreamClosed);
        else if (Role == Http2Role.Client && !stream.IsAnswered)
            OnAnswer(stream, fields);
        else if (!_sectionEndsStream || fields.HasPseudo || fields.IsMalformed || fields.IsTooLarge)
            StreamError(stream, Http2ErrorCode.ProtocolError);    // RFC 9113 8.1: what follows the first section are trailers, and they end the stream
        else
            EndRemote(stream);
    }

    private void OnAnswer(Http2Stream stream, in FieldSection fields)
    {
        bool ends = _sectionEndsStream;
        bool interim = fields.Status is >= 100 and < 200;
        if (fields.IsMalformed || fields.IsTooLarge || fields.Status == 0 || fields.Method is not null || fields.Authority is not null
            || fields.HasScheme || fields.HasPath || fields.HasProtocol || (interim && ends))
        {
            StreamError(stream, Http2ErrorCode.ProtocolError);
            return;
        }
        if (interim)
        {
            if (!_guard.TakeIgnoredFrame())
                Calm("too_many_ignored_frames");
            return;
        }
        stream.IsAnswered = true;
        _events.OnResponse(stream, new Http2Response(fields.Status, fields.Baggage, ends));
        if (_result.IsClosed || stream.State == Http2StreamState.Closed)
            return;
        if (fields.Status != 200)
            Reset(stream, Http2ErrorCode.Cancel);    // data-path 2.5: the tunnel stays, the stream is of no use
        else if (ends)
            EndRemote(stream);
    }
}
