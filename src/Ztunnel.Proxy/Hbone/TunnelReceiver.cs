using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;
using Ztunnel.Tls.Records;

namespace Ztunnel.Proxy.Hbone;

/// <summary>
/// The receiving half of a tunnel: one large read into the loop's scratch buffer, records opened in place, HTTP/2 fed with the plaintext, payloads written to the applications from
/// where they lie. Only an incomplete record is kept between reads.
/// </summary>
internal sealed class TunnelReceiver(HboneConnection tunnel) : ILoopItem
{
    // What one tunnel may receive before the other connections of the loop get their turn.
    private const int ReadsPerTurn = 4;

    private NativeBuffer? _partial;
    private int _partialBytes;

    public bool IsQueued { get; set; }

    /// <summary>Takes bytes that came with the last handshake record. Owns <paramref name="buffer"/> from now on.</summary>
    public void Prime(NativeBuffer buffer, int bytes)
    {
        _partial = buffer;
        _partialBytes = bytes;
    }

    public void Run()
    {
        if (tunnel.IsClosed)
            return;

        NativeBuffer scratch = tunnel.Loop.ReceiveScratch;
        int held = TakePartial(scratch);
        // Bytes left over from the handshake may be whole records; nothing more needs to arrive for them.
        held = Process(scratch, held);
        for (int read = 0; read < ReadsPerTurn && !tunnel.IsClosed; read++)
        {
            IoResult result = tunnel.Socket.Receive(scratch.Span[held..]);
            if (result.Status == IoStatus.Done)
            {
                held = Process(scratch, held + result.Bytes);
                if (tunnel.Socket.IsReadable)
                    continue;
            }
            else if (result.Status == IoStatus.EndOfStream)
            {
                tunnel.OnEndOfStream();
            }
            else if (result.Status == IoStatus.Failed)
            {
                tunnel.OnSocketFailed(result.Error);
            }

            KeepPartial(scratch, held);
            return;
        }

        KeepPartial(scratch, held);
        if (!tunnel.IsClosed)
            tunnel.Loop.EnqueueReady(this);
    }

    /// <summary>Gives back what it holds.</summary>
    public void Release()
    {
        if (_partial is { } partial)
            tunnel.Loop.Buffers.Return(partial);
        _partial = null;
        _partialBytes = 0;
    }

    /// <summary>Opens the whole records among the first <paramref name="bytes"/> bytes and moves the rest to the front.</summary>
    /// <returns>The bytes of the record that is not complete yet.</returns>
    private int Process(NativeBuffer scratch, int bytes)
    {
        int position = 0;
        while (position < bytes && !tunnel.IsClosed)
        {
            OpenResult record = tunnel.Session.Open(scratch.Span[position..bytes]);
            if (record.Kind == OpenKind.NeedMore)
                break;

            int payload = position + record.Offset;
            position += record.Consumed;
            switch (record.Kind)
            {
                case OpenKind.Data:
                    tunnel.OnPlaintext(scratch, payload, record.Length);
                    break;
                case OpenKind.Control:
                    tunnel.Sender.Schedule();   // a KeyUpdate may want its answer
                    break;
                case OpenKind.CloseNotify:
                    tunnel.OnEndOfStream();
                    break;
                default:
                    tunnel.OnRecordFailed();
                    break;
            }
        }

        // The scratch buffer is about to be reused: everything gathered from it must have left.
        tunnel.Deliveries.Flush();
        if (tunnel.IsClosed)
            return 0;

        int rest = bytes - position;
        if (rest > 0 && position > 0)
            scratch.Span[position..bytes].CopyTo(scratch.Span);
        return rest;
    }

    private int TakePartial(NativeBuffer scratch)
    {
        if (_partial is not { } partial)
            return 0;

        int bytes = _partialBytes;
        partial.Span[..bytes].CopyTo(scratch.Span);
        Release();
        return bytes;
    }

    private void KeepPartial(NativeBuffer scratch, int bytes)
    {
        if (bytes == 0 || tunnel.IsClosed)
            return;

        _partial = tunnel.Loop.Buffers.Rent(bytes);
        _partialBytes = bytes;
        scratch.Span[..bytes].CopyTo(_partial.Span);
    }
}
