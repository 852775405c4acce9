namespace Ztunnel.Http2.Connection;

/// <summary>
/// Watches whether the peer is still there (data-path 5.1): a PING some time after set-up and after each answer; a peer from which nothing at all has come for the timeout is
/// gone. Any frame counts as an answer: a peer busy sending data is alive even when its ACK waits behind it.
/// </summary>
internal struct KeepAlive(Http2Settings settings, long nowMilliseconds)
{
    private readonly long _interval = (long)settings.KeepAliveInterval.TotalMilliseconds;
    private readonly long _timeout = (long)settings.KeepAliveTimeout.TotalMilliseconds;
    private long _pingSentAt;
    private bool _waiting;
    private bool _heard;

    public long NextTickMilliseconds { get; private set; } = nowMilliseconds + (long)settings.KeepAliveInterval.TotalMilliseconds;

    public void FrameReceived() => _heard = true;

    public KeepAliveAction OnTick(long nowMilliseconds)
    {
        if (nowMilliseconds < NextTickMilliseconds)
            return KeepAliveAction.None;
        if (_waiting && !_heard)
        {
            if (nowMilliseconds - _pingSentAt >= _timeout)
                return KeepAliveAction.TimedOut;
            NextTickMilliseconds = _pingSentAt + _timeout;
            return KeepAliveAction.None;
        }
        _waiting = true;
        _heard = false;
        _pingSentAt = nowMilliseconds;
        NextTickMilliseconds = nowMilliseconds + Math.Min(_interval, _timeout);
        return KeepAliveAction.SendPing;
    }
}
