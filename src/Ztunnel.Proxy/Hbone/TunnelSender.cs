using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Proxy.Hbone;

/// <summary>
/// The sending half of a tunnel. Nothing is produced when a stream gets bytes: streams queue up, and at the end of the loop's turn one batch takes control frames first,
/// then one quantum of every stream in turn, so that small frames of many streams share a record and a <c>send</c>.
/// </summary>
internal sealed class TunnelSender(HboneConnection tunnel) : ILoopItem
{
    // A stream alone may fill a batch; beside others it takes less, or its bulk would stand in front of their small answers (design section 1: 64–256 KiB, no measurable difference in throughput).
    private const int LoneQuantumBytes = 256 * 1024;
    private const int SharedQuantumBytes = 64 * 1024;

    // What one tunnel may send before the other connections of the loop get their turn.
    private const int BatchesPerTurn = 4;

    private TunnelStream? _firstReady;
    private TunnelStream? _lastReady;
    private NativeBuffer? _unsent;
    private int _unsentStart;
    private int _unsentEnd;

    public bool IsQueued { get; set; }

    /// <summary>The socket is full: nothing is produced until it takes the rest.</summary>
    public bool IsBlocked => _unsent is not null;

    /// <summary>Puts a stream whose application has bytes (or an end) into the queue.</summary>
    public void MarkReady(TunnelStream stream)
    {
        Append(stream);
        Schedule();
    }

    /// <summary>Sends at the end of this turn.</summary>
    public void Schedule()
    {
        if (!IsBlocked && !tunnel.IsClosed)
            tunnel.Loop.EnqueueFlush(this);
    }

    public void ScheduleIfControlIsWaiting()
    {
        if (tunnel.Http2.HasControlOutput)
            Schedule();
    }

    public void OnWritable()
    {
        if (IsBlocked)
            Run();
    }

    public void Run()
    {
        if (tunnel.IsClosed || !FlushUnsent())
            return;

        for (int batch = 0; batch < BatchesPerTurn; batch++)
        {
            NativeBuffer buffer = tunnel.Loop.SendScratch;
            int bytes = Produce(buffer);
            if (bytes == 0 || tunnel.IsClosed)
            {
                tunnel.CloseIfFinished();
                return;
            }

            if (!Send(buffer, bytes))
                return;
        }

        tunnel.Loop.EnqueueReady(this);
    }

    /// <summary>Gives back what it holds. Bytes not yet taken by the kernel are lost with the connection.</summary>
    public void Release()
    {
        if (_unsent is { } unsent)
            tunnel.Loop.Buffers.Return(unsent);
        _unsent = null;
        _unsentStart = _unsentEnd = 0;
        _firstReady = _lastReady = null;
    }

    private int Produce(NativeBuffer buffer)
    {
        var writer = new RecordWriter(buffer, tunnel.Session);
        writer.AppendSessionControl();
        writer.AppendFrames(tunnel.Http2);
        while (_firstReady is { } stream)
        {
            Dequeue(stream);
            switch (stream.Fill(ref writer, _firstReady is null ? LoneQuantumBytes : SharedQuantumBytes))
            {
                case FillResult.MayHaveMore:
                    Append(stream);
                    break;
                case FillResult.BatchFull:
                    Prepend(stream);
                    return writer.Complete();
            }
        }

        // A stream that failed while it was read has left an RST_STREAM.
        writer.AppendFrames(tunnel.Http2);
        return writer.Complete();
    }

    private bool Send(NativeBuffer buffer, int bytes)
    {
        IoResult result = tunnel.Socket.Send(buffer.Span[..bytes]);
        if (result.Status == IoStatus.Failed)
        {
            tunnel.OnSocketFailed(result.Error);
            return false;
        }

        int sent = result.Status == IoStatus.Done ? result.Bytes : 0;
        if (sent == bytes)
            return true;

        // The scratch buffer belongs to the loop: what the kernel does not take moves to memory of this tunnel's own.
        _unsent = tunnel.Loop.Buffers.Rent(bytes - sent);
        _unsentStart = 0;
        _unsentEnd = bytes - sent;
        buffer.Span[sent..bytes].CopyTo(_unsent.Span);
        return false;
    }

    private bool FlushUnsent()
    {
        while (_unsent is { } unsent)
        {
            IoResult result = tunnel.Socket.Send(unsent.Span[_unsentStart.._unsentEnd]);
            if (result.Status == IoStatus.Failed)
            {
                tunnel.OnSocketFailed(result.Error);
                return false;
            }

            if (result.Status != IoStatus.Done)
                return false;

            _unsentStart += result.Bytes;
            if (_unsentStart < _unsentEnd)
                continue;

            tunnel.Loop.Buffers.Return(unsent);
            _unsent = null;
            _unsentStart = _unsentEnd = 0;
        }

        return true;
    }

    private void Dequeue(TunnelStream stream)
    {
        _firstReady = stream.NextReady;
        if (_firstReady is null)
            _lastReady = null;
        stream.NextReady = null;
        stream.IsQueuedForSending = false;
    }

    private void Append(TunnelStream stream)
    {
        if (stream.IsQueuedForSending)
            return;

        stream.IsQueuedForSending = true;
        if (_lastReady is { } last)
            last.NextReady = stream;
        else
            _firstReady = stream;
        _lastReady = stream;
    }

    private void Prepend(TunnelStream stream)
    {
        if (stream.IsQueuedForSending)
            return;

        stream.IsQueuedForSending = true;
        stream.NextReady = _firstReady;
        _firstReady = stream;
        _lastReady ??= stream;
    }
}
