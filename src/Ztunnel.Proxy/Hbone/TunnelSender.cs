namespace Ztunnel.Proxy.Hbone;

/// <summary>
/// The sending half of a tunnel. Nothing is produced when a stream gets bytes: streams queue up, and at the end of the loop's turn one batch takes control frames first,
/// then one quantum of every stream in turn (<see cref="SendTurns"/>), so that small frames of many streams share a record and a <c>send</c>.
/// </summary>
internal sealed class TunnelSender(HboneConnection tunnel)
{
    // Of the connection's window, what bulk leaves for small streams: they need not wait until the peer has taken what is under way.
    private const int ReservedWindowBytes = 16 * 1024;

    private SendTurns _turns;

    // The stream whose turn it is finds the connection's window used up, and needs this much of it; 0: nobody waits. The order stays as it is until there is more: whoever is last must not be last again.
    private int _wantedWindow;

    /// <summary>The last batch was full: there is something to say for which nobody has to be waited for.</summary>
    public bool HasMore => !tunnel.IsClosed && tunnel.Session.Failure is null && (tunnel.Http2.HasControlOutput || (_wantedWindow == 0 && !_turns.IsEmpty));

    /// <summary>Puts a stream that has bytes (or an end) into the queue.</summary>
    public void MarkReady(TunnelStream stream)
    {
        _turns.Add(stream);
        Schedule();
    }

    /// <summary>Sends at the end of this turn.</summary>
    public void Schedule()
    {
        if (!tunnel.IsClosed)
            tunnel.Transport.Schedule();
    }

    /// <summary>After frames of the peer were read: there may be answers to send, or window for those who wait for it.</summary>
    public void ScheduleIfPossible()
    {
        if (tunnel.Http2.HasControlOutput || (_wantedWindow > 0 && tunnel.Http2.SendWindow >= _wantedWindow))
            Schedule();
    }

    public void ScheduleIfControlIsWaiting()
    {
        if (tunnel.Http2.HasControlOutput)
            Schedule();
    }

    /// <summary>Builds one batch: all that is to be said, or as much of it as the writer has room for.</summary>
    /// <returns>The bytes ready for the wire.</returns>
    public int Produce(ref RecordWriter writer)
    {
        writer.AppendSessionControl();
        // An alert is the last thing a session says.
        if (tunnel.Session.Failure is not null)
            return writer.Complete();

        // Nothing may come between the parts of a frame that did not fit.
        if (!writer.TryAppendFrames(tunnel.Http2))
            return writer.Complete();

        _wantedWindow = 0;
        while (!_turns.IsEmpty)
        {
            if (!TakeTurn(ref writer, (TunnelStream)_turns.Take()))
                return writer.Complete();
        }

        // A stream that failed while it was read has left an RST_STREAM.
        writer.TryAppendFrames(tunnel.Http2);
        return writer.Complete();
    }

    /// <summary>What bulk, or a small stream, may take of the connection's window.</summary>
    public int ConnectionWindowFor(TunnelStream stream) => tunnel.Http2.SendWindow - (stream.IsBulk ? ReservedWindowBytes : 0);

    /// <summary>Forgets who waited.</summary>
    public void Release() => _turns.Clear();

    /// <returns>False when the batch ends here.</returns>
    private bool TakeTurn(ref RecordWriter writer, TunnelStream stream)
    {
        int windowBefore = tunnel.Http2.SendWindow;
        FillResult result = stream.Fill(ref writer, _turns.QuantumFor(stream));
        int bytes = windowBefore - tunnel.Http2.SendWindow;
        switch (result)
        {
            case FillResult.BatchFull:
                _turns.PutBack(stream);
                return false;
            case FillResult.WindowUsedUp:
                _turns.PutBack(stream);
                bool smallWait = _turns.LetSmallPass();
                if (smallWait && stream.IsBulk && tunnel.Http2.SendWindow > 0)
                    return true;
                _wantedWindow = smallWait ? 1 : ReservedWindowBytes + 1;
                return false;
            default:
                _turns.Wrote(stream, bytes, hasMore: result == FillResult.MayHaveMore);
                return true;
        }
    }
}
