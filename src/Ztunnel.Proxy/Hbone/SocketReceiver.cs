using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Proxy.Hbone;

/// <summary>
/// Reads a tunnel's socket in one large piece into the loop's scratch buffer, where the records are opened. Only an incomplete record is kept between reads.
/// One read in a turn: what has arrived for other connections during it is looked at before the next (decisions/0012).
/// </summary>
internal sealed class SocketReceiver(HboneConnection tunnel, LoopSocket socket, NativeBuffer? partial, int partialBytes) : ILoopItem
{
    public bool IsQueued { get; set; }

    public void Run()
    {
        if (tunnel.IsClosed)
            return;

        NativeBuffer scratch = socket.Loop.ReceiveScratch;
        int held = TakePartial(scratch);
        // Bytes left over from the handshake may be whole records; nothing more needs to arrive for them.
        held = Process(scratch, held);
        if (tunnel.IsClosed)
            return;

        IoResult result = socket.Receive(scratch.Span[held..]);
        switch (result.Status)
        {
            case IoStatus.Done:
                held = Process(scratch, held + result.Bytes);
                break;
            case IoStatus.EndOfStream:
                tunnel.OnEndOfStream();
                break;
            case IoStatus.Failed:
                tunnel.OnTransportFailed(result.Error);
                break;
        }

        if (tunnel.IsClosed)
            return;

        KeepPartial(scratch, held);
        if (result.Status == IoStatus.Done && socket.IsReadable)
            socket.Loop.EnqueueReady(this);
    }

    /// <summary>Gives back what it holds.</summary>
    public void Release()
    {
        if (partial is { } held)
            socket.Loop.Buffers.Return(held);
        partial = null;
        partialBytes = 0;
    }

    /// <summary>Opens the whole records among the first <paramref name="bytes"/> bytes and moves the rest to the front.</summary>
    private int Process(NativeBuffer scratch, int bytes)
    {
        int position = tunnel.Receiver.Open(scratch, 0, bytes);
        int rest = bytes - position;
        if (rest > 0 && position > 0)
            scratch.Span[position..bytes].CopyTo(scratch.Span);
        return rest;
    }

    private int TakePartial(NativeBuffer scratch)
    {
        if (partial is not { } held)
            return 0;

        int bytes = partialBytes;
        held.Span[..bytes].CopyTo(scratch.Span);
        Release();
        return bytes;
    }

    private void KeepPartial(NativeBuffer scratch, int bytes)
    {
        if (bytes == 0)
            return;

        partial = socket.Loop.Buffers.Rent(bytes);
        partialBytes = bytes;
        scratch.Span[..bytes].CopyTo(partial.Span);
    }
}
