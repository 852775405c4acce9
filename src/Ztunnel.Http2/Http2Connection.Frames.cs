using System.Buffers.Binary;
using System.Text;
using Ztunnel.Http2.Connection;
using Ztunnel.Http2.Frames;

namespace Ztunnel.Http2;

/// <summary>What each received frame means: RFC 9113 section 6, except HEADERS and CONTINUATION.</summary>
public sealed partial class Http2Connection
{
    private enum FrameUse
    {
        Read,
        Skip,

        /// <summary>The connection has failed.</summary>
        Failed,
    }

    private const int GoAwayFixedBytes = 8;

    /// <summary>Streams up to this one were there before the current call of Receive.</summary>
    private int _acceptedBefore;

    /// <summary>Judges a frame by its header, before any of its payload is kept.</summary>
    private FrameUse CheckFrame(FrameHeader frame)
    {
        switch (frame.Type)
        {
            case FrameType.Headers or FrameType.Continuation:
                return CheckHeaders(frame) ? FrameUse.Read : FrameUse.Failed;
            case FrameType.Settings:
                if (frame.StreamId != 0)
                    return FailFrame(Http2ErrorCode.ProtocolError, "SETTINGS on a stream");
                if (frame.Length % PeerSettings.ParameterBytes != 0 || (frame.Has(FrameFlags.Ack) && frame.Length != 0))
                    return FailFrame(Http2ErrorCode.FrameSizeError, "SETTINGS length");
                if (frame.Length > _settings.Limits.ParametersPerSettings * PeerSettings.ParameterBytes || !_guard.TakeSettings())
                    return CalmFrame("too_many_settings");
                return FrameUse.Read;
            case FrameType.Ping:
                if (frame.StreamId != 0)
                    return FailFrame(Http2ErrorCode.ProtocolError, "PING on a stream");
                if (frame.Length != 8)
                    return FailFrame(Http2ErrorCode.FrameSizeError, "PING length");
                return _guard.TakePing() ? FrameUse.Read : CalmFrame("too_many_pings");
            case FrameType.GoAway:
                if (frame.StreamId != 0)
                    return FailFrame(Http2ErrorCode.ProtocolError, "GOAWAY on a stream");
                if (frame.Length < GoAwayFixedBytes)
                    return FailFrame(Http2ErrorCode.FrameSizeError, "GOAWAY length");
                return _guard.TakeGoAway() ? FrameUse.Read : CalmFrame("too_many_goaways");
            case FrameType.WindowUpdate:
                if (frame.Length != 4)
                    return FailFrame(Http2ErrorCode.FrameSizeError, "WINDOW_UPDATE length");
                if (frame.StreamId != 0 && !CheckStreamId(frame))
                    return FrameUse.Failed;
                return _guard.TakeWindowUpdate() ? FrameUse.Read : CalmFrame("too_many_window_updates");
            case FrameType.RstStream:
                if (frame.Length != 4)
                    return FailFrame(Http2ErrorCode.FrameSizeError, "RST_STREAM length");
                return CheckStreamId(frame) ? FrameUse.Read : FrameUse.Failed;
            case FrameType.PushPromise:
                return FailFrame(Http2ErrorCode.ProtocolError, "PUSH_PROMISE, though push is off");    // RFC 9113 8.4
            case FrameType.Priority when frame.StreamId == 0:
                return FailFrame(Http2ErrorCode.ProtocolError, "PRIORITY on the connection");
            case FrameType.Priority when frame.Length != 5:
                OnBadPriority(frame);
                return _result.IsClosed ? FrameUse.Failed : FrameUse.Skip;
            default:
                // PRIORITY is deprecated; other types are extensions we do not know (RFC 9113 4.1, 5.3).
                return _guard.TakeIgnoredFrame() ? FrameUse.Skip : CalmFrame("too_many_ignored_frames");
        }
    }

    /// <summary>RFC 9113 5.1, 5.1.1: a frame on a stream that nobody has opened yet, or on one that only we could have opened, is a connection error.</summary>
    private bool CheckStreamId(FrameHeader frame)
    {
        if (frame.StreamId == 0)
            return Fail(Http2ErrorCode.ProtocolError, $"{frame.Type} on the connection");
        bool idle = (frame.StreamId & 1) == 0 || (Role == Http2Role.Server ? frame.StreamId > _lastPeerStreamId : (uint)frame.StreamId >= (uint)_nextStreamId);
        return !idle || Fail(Http2ErrorCode.ProtocolError, $"{frame.Type} on idle stream {frame.StreamId}");
    }

    private void OnFrame(FrameHeader frame, ReadOnlySpan<byte> payload)
    {
        switch (frame.Type)
        {
            case FrameType.Headers or FrameType.Continuation:
                OnHeaders(frame, payload);
                break;
            case FrameType.Settings:
                if (!frame.Has(FrameFlags.Ack))
                    OnSettings(payload);
                break;
            case FrameType.Ping:
                OnPing(frame, BinaryPrimitives.ReadUInt64BigEndian(payload));
                break;
            case FrameType.GoAway:
                OnGoAway(payload);
                break;
            case FrameType.WindowUpdate:
                OnWindowUpdate(frame.StreamId, BinaryPrimitives.ReadInt32BigEndian(payload) & 0x7fff_ffff);
                break;
            case FrameType.RstStream:
                OnRstStream(frame.StreamId, (Http2ErrorCode)BinaryPrimitives.ReadUInt32BigEndian(payload));
                break;
        }
    }

    private void OnSettings(ReadOnlySpan<byte> payload)
    {
        int windowBefore = _peer.InitialWindow;
        if (!_peer.TryApply(payload, Role, out Http2ErrorCode code, out string? error))
        {
            Fail(code, error!);
            return;
        }
        _control.QueueSettingsAck();
        long difference = (long)_peer.InitialWindow - windowBefore;
        if (difference != 0 && !MoveStreamWindows(difference))
            return;
        _events.OnSettings();
    }

    /// <summary>RFC 9113 6.9.2: open streams follow a change of the initial window, below zero too.</summary>
    private bool MoveStreamWindows(long difference)
    {
        Http2Stream[] streams = _streams.RentSnapshot(out int count);
        try
        {
            foreach (Http2Stream stream in streams.AsSpan(0, count))
            {
                bool blocked = stream.SendWindow == 0;
                if (!stream.OwnSendWindow.TryAdd(difference))
                    return Fail(Http2ErrorCode.FlowControlError, "INITIAL_WINDOW_SIZE overflows a window");
                if (blocked)
                    AnnounceSendWindow(stream);
            }
            return true;
        }
        finally
        {
            StreamTable.ReturnSnapshot(streams);
        }
    }

    private void OnPing(FrameHeader frame, ulong data)
    {
        if (!frame.Has(FrameFlags.Ack))
            _control.QueuePing(data, ack: true);
        else if (data == ShutdownPing && _shutdown.AwaitsAcknowledgement && Role == Http2Role.Server)
            QueueFinalGoAway();
    }

    private void OnGoAway(ReadOnlySpan<byte> payload)
    {
        int last = BinaryPrimitives.ReadInt32BigEndian(payload) & 0x7fff_ffff;
        var code = (Http2ErrorCode)BinaryPrimitives.ReadUInt32BigEndian(payload[4..]);
        if (last > _peerLastServedStreamId)
        {
            // RFC 9113 6.8: it may fall only. What we have tried elsewhere since the first one must not run here as well.
            Fail(Http2ErrorCode.ProtocolError, $"GOAWAY names stream {last} after {_peerLastServedStreamId}");
            return;
        }
        _peerLastServedStreamId = last;
        _goAwayReceived = true;
        _events.OnGoAway(last, code, Encoding.Latin1.GetString(payload[GoAwayFixedBytes..]));
        if (Role == Http2Role.Client)
        {
            // RFC 9113 6.8: the peer has not looked at streams above the last one and never will.
            Http2Stream[] streams = _streams.RentSnapshot(out int count);
            foreach (Http2Stream stream in streams.AsSpan(0, count))
            {
                if (stream.Id > last && stream.State != Http2StreamState.Closed)
                    CloseReset(stream, Http2ErrorCode.RefusedStream, byPeer: true);
            }
            StreamTable.ReturnSnapshot(streams);
        }
        FinishIfIdle();
    }

    private void OnWindowUpdate(int streamId, int increment)
    {
        if (streamId == 0)
        {
            bool blocked = _sendWindow.Available <= 0;
            if (increment == 0)
                Fail(Http2ErrorCode.ProtocolError, "WINDOW_UPDATE of 0");
            else if (!_sendWindow.TryAdd(increment))
                Fail(Http2ErrorCode.FlowControlError, "connection window above 2^31-1");
            else if (blocked && _sendWindow.Available > 0)
                AnnounceSendWindows();
            return;
        }
        if (_streams.Find(streamId) is not { } stream)
            return;    // RFC 9113 5.1: may arrive late
        bool streamBlocked = stream.SendWindow == 0;
        if (increment == 0)
            StreamError(stream, Http2ErrorCode.ProtocolError);
        else if (!stream.OwnSendWindow.TryAdd(increment))
            StreamError(stream, Http2ErrorCode.FlowControlError);
        else if (streamBlocked)
            AnnounceSendWindow(stream);
    }

    private void AnnounceSendWindows()
    {
        Http2Stream[] streams = _streams.RentSnapshot(out int count);
        foreach (Http2Stream stream in streams.AsSpan(0, count))
            AnnounceSendWindow(stream);
        StreamTable.ReturnSnapshot(streams);
    }

    private void AnnounceSendWindow(Http2Stream stream)
    {
        if (stream.CanSend && stream.SendWindow > 0)
            _events.OnSendWindow(stream);
    }

    private void OnRstStream(int streamId, Http2ErrorCode code)
    {
        if (_streams.Find(streamId) is not { } stream)
        {
            // After a refusal both sides reset the stream: such a crossing is ordinary and may be frequent, but it happens once.
            if (!_resets.Remove(streamId) && !_guard.TakeIgnoredFrame())
                Calm("too_many_ignored_frames");
            return;
        }
        bool unanswered = Role == Http2Role.Server && !stream.IsAnswered;
        bool unseen = unanswered && streamId > _acceptedBefore;
        CloseReset(stream, code, byPeer: true);

        // Opening and resetting streams is cheap for the peer and dear for us: the "rapid reset" attack.
        if ((unseen && !_guard.TakeResetBeforeAccept()) || (unanswered && !_guard.TakeResetBeforeResponse()))
            Calm("too_many_resets");
    }

    /// <summary>DATA on a stream that is gone: ours to ignore when we reset it, an error otherwise.</summary>
    private void OnClosedStreamData(int streamId)
    {
        if (_resets.Contains(streamId))
        {
            if (!_guard.TakeIgnoredFrame())
                Calm("too_many_ignored_frames");
            return;
        }
        CausedReset(streamId, Http2ErrorCode.StreamClosed);
    }

    private bool AcceptsData(Http2Stream stream, FrameHeader frame)
    {
        if (stream.State == Http2StreamState.HalfClosedRemote)
            StreamError(stream, Http2ErrorCode.StreamClosed);    // RFC 9113 5.1
        else if (Role == Http2Role.Client && !stream.IsAnswered)
            StreamError(stream, Http2ErrorCode.ProtocolError);    // RFC 9113 8.1: HEADERS come first
        else if (!stream.ReceiveWindow.TryTake(frame.Length))
            StreamError(stream, Http2ErrorCode.FlowControlError);
        else
            return true;
        return false;
    }

    private void OnBadPriority(FrameHeader frame)
    {
        // RFC 9113 6.3: a stream error, whatever state the stream is in.
        if (_streams.Find(frame.StreamId) is { } stream)
            StreamError(stream, Http2ErrorCode.FrameSizeError);
        else if (!_guard.TakeIgnoredFrame())
            Calm("too_many_ignored_frames");
    }

    /// <summary>The peer broke a rule on one stream: it is reset and its owner told.</summary>
    private void StreamError(Http2Stream stream, Http2ErrorCode code)
    {
        CausedReset(stream.Id, code);
        CloseReset(stream, code, byPeer: false);
    }

    private void CausedReset(int streamId, Http2ErrorCode code)
    {
        _control.QueueReset(streamId, code);
        _resets.Add(streamId);
        if (!_guard.TakeCausedReset())
            Calm("too_many_internal_resets");
    }

    private void CloseReset(Http2Stream stream, Http2ErrorCode code, bool byPeer)
    {
        stream.State = Http2StreamState.Closed;
        stream.IsResetByPeer = byPeer;
        Discard(stream);
        _events.OnReset(stream, code);
        Close(stream, discard: false);
    }

    private void Calm(string reason) => Fail(Http2ErrorCode.EnhanceYourCalm, reason);

    private FrameUse CalmFrame(string reason) => FailFrame(Http2ErrorCode.EnhanceYourCalm, reason);

    private FrameUse FailFrame(Http2ErrorCode code, string text)
    {
        Fail(code, text);
        return FrameUse.Failed;
    }

    /// <summary>A connection error: nothing more is read. Always false.</summary>
    private bool Fail(Http2ErrorCode code, string text)
    {
        if (!_result.IsClosed)
            GoAway(code, text);
        return false;
    }
}
