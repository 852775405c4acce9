using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Proxy.Hbone;

/// <summary>
/// Takes one batch of records from a tunnel at the end of a turn and sends it with one call; what the socket does not take waits here, and nothing more is produced meanwhile.
/// One batch: what has arrived for other streams and connections during it is looked at before the next (decisions/0012).
/// </summary>
internal sealed class SocketSender(HboneConnection tunnel, LoopSocket socket) : ILoopItem
{
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

        NativeBuffer buffer = socket.Loop.SendScratch;
        var writer = new RecordWriter(buffer, tunnel.Session);
        int bytes = tunnel.Sender.Produce(ref writer);
        if (bytes > 0 && !tunnel.IsClosed && !Send(buffer, bytes))
            return;

        if (bytes > 0 && tunnel.Sender.HasMore)
            socket.Loop.EnqueueReady(this);
        else
            tunnel.CloseIfFinished();
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
