using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Proxy.Hbone;

/// <summary>Takes batches of records from a tunnel at the end of a turn and sends each with one call; what the socket does not take waits here, and nothing more is produced meanwhile.</summary>
internal sealed class SocketSender(HboneConnection tunnel, LoopSocket socket) : ILoopItem
{
    // What one tunnel may send before the other connections of the loop get their turn.
    private const int BatchesPerTurn = 4;

    private NativeBuffer? _unsent;
    private int _unsentStart;
    private int _unsentEnd;

    public bool IsQueued { get; set; }

    /// <summary>The socket is full: nothing is produced until it takes the rest.</summary>
    public bool IsBlocked => _unsent is not null;

    public void Schedule()
    {
        if (!IsBlocked && !tunnel.IsClosed)
            socket.Loop.EnqueueFlush(this);
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
            NativeBuffer buffer = socket.Loop.SendScratch;
            var writer = new RecordWriter(buffer, tunnel.Session);
            int bytes = tunnel.Sender.Produce(ref writer);
            if (bytes == 0 || tunnel.IsClosed)
            {
                tunnel.CloseIfFinished();
                return;
            }

            if (!Send(buffer, bytes))
                return;
        }

        socket.Loop.EnqueueReady(this);
    }

    /// <summary>Gives back what it holds. Bytes not yet taken by the kernel are lost with the connection.</summary>
    public void Release()
    {
        if (_unsent is { } unsent)
            socket.Loop.Buffers.Return(unsent);
        _unsent = null;
        _unsentStart = _unsentEnd = 0;
    }

    private bool Send(NativeBuffer buffer, int bytes)
    {
        IoResult result = socket.Send(buffer.Span[..bytes]);
        if (result.Status == IoStatus.Failed)
        {
            tunnel.OnTransportFailed(result.Error);
            return false;
        }

        int sent = result.Status == IoStatus.Done ? result.Bytes : 0;
        if (sent == bytes)
            return true;

        // The scratch buffer belongs to the loop: what the kernel does not take moves to memory of this tunnel's own.
        _unsent = socket.Loop.Buffers.Rent(bytes - sent);
        _unsentStart = 0;
        _unsentEnd = bytes - sent;
        buffer.Span[sent..bytes].CopyTo(_unsent.Span);
        return false;
    }

    private bool FlushUnsent()
    {
        while (_unsent is { } unsent)
        {
            IoResult result = socket.Send(unsent.Span[_unsentStart.._unsentEnd]);
            if (result.Status == IoStatus.Failed)
            {
                tunnel.OnTransportFailed(result.Error);
                return false;
            }

            if (result.Status != IoStatus.Done)
                return false;

            _unsentStart += result.Bytes;
            if (_unsentStart == _unsentEnd)
                Release();
        }

        return true;
    }
}
