namespace Ztunnel.Http2.Connection;

/// <summary>
/// Where a graceful end stands. A server announces it with GOAWAY(2^31-1) and a PING; when the ACK is back (or overdue) everything the peer sent before it knew has arrived, and the
/// last GOAWAY names the last stream that is served.
/// </summary>
internal struct Shutdown(Http2Settings settings)
{
    private readonly long _acknowledgementTimeout = (long)settings.GracefulAcknowledgementTimeout.TotalMilliseconds;
    private long _overdueAt = long.MaxValue;

    /// <summary>No more streams are opened by us; a server still takes those that cross its announcement.</summary>
    public bool IsStarted { get; private set; }

    /// <summary>The last GOAWAY has been queued.</summary>
    public bool IsFinal { get; private set; }

    /// <summary>Streams above this one are refused.</summary>
    public int LastServedStreamId { get; private set; } = int.MaxValue;

    public readonly bool AwaitsAcknowledgement => IsStarted && !IsFinal;

    public readonly long NextTickMilliseconds => _overdueAt;

    public void Start(long nowMilliseconds, bool awaitsAcknowledgement)
    {
        IsStarted = true;
        if (awaitsAcknowledgement)
            _overdueAt = nowMilliseconds + _acknowledgementTimeout;
    }

    public readonly bool IsAcknowledgementOverdue(long nowMilliseconds) => nowMilliseconds >= _overdueAt;

    public void Finish(int lastServedStreamId)
    {
        IsStarted = IsFinal = true;
        LastServedStreamId = lastServedStreamId;
        _overdueAt = long.MaxValue;
    }
}
