using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Sockets;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Relay;

namespace Ztunnel.Proxy.Hbone;

/// <summary>
/// The socket of a local application at the end of a stream. Reads land in the records of a batch, deliveries leave from the receive buffer; only what the application does not take is copied
/// (design D4, D5).
/// </summary>
internal sealed class ApplicationEnd(TunnelStream stream, LoopSocket socket) : IStreamEnd, ISocketHandler
{
    // One record first: most requests are small. A read that fills what it was given doubles it, up to a whole send buffer.
    private const int FirstReadBytes = 16 * 1024;
    private const int LargestReadBytes = 192 * 1024;

    private PendingBytes? _pending;
    private int _readBytes = FirstReadBytes;
    private bool _ending;

    public void Start(PendingBytes? early)
    {
        _pending = early;
        socket.Handler = this;
        socket.ResetUnlessClosedInOrder();
        FlushPending();
        if (socket.IsReadable)
            stream.OnBytesForTunnel();
    }

    public void Close(in ConnectionOutcome outcome, bool reset)
    {
        _pending?.Clear();
        if (reset)
            socket.CloseWithReset();
        else
            socket.CloseInOrder();
    }

    // ---- application → tunnel

    public FillResult Fill(ref RecordWriter writer, int limit)
    {
        var vectors = new IoVectors();
        int offered = writer.ReservePayload(ref vectors, Math.Min(limit, _readBytes));
        if (offered == 0)
            return FillResult.BatchFull;

        IoResult result = socket.Receive(ref vectors);
        switch (result.Status)
        {
            case IoStatus.Done:
                writer.CommitPayload(stream.Http2, result.Bytes);
                stream.OnSent(result.Bytes);
                AdaptReadSize(result.Bytes, offered);
                return socket.IsReadable ? FillResult.MayHaveMore : FillResult.Drained;
            case IoStatus.WouldBlock:
                return FillResult.Drained;
            case IoStatus.EndOfStream:
                return FillResult.Ended;
            default:
                stream.OnApplicationFailed(result.Error);
                return FillResult.Drained;
        }
    }

    public void OnReadable() => stream.OnBytesForTunnel();

    private void AdaptReadSize(int received, int offered)
    {
        if (received == offered)
            _readBytes = Math.Min(_readBytes * 2, LargestReadBytes);
        else if (received < _readBytes / 4)
            _readBytes = Math.Max(_readBytes / 2, FirstReadBytes);
    }

    // ---- tunnel → application

    public void Deliver(NativeBuffer buffer, ReadOnlySpan<PayloadRange> ranges)
    {
        int written = 0;
        if (_pending is not { IsEmpty: false })
        {
            var vectors = new IoVectors();
            foreach (PayloadRange range in ranges)
                vectors.Add(buffer, range.Offset, range.Length);

            IoResult result = socket.Send(ref vectors);
            if (result.Status == IoStatus.Failed)
            {
                stream.OnApplicationFailed(result.Error);
                return;
            }

            written = result.Status == IoStatus.Done ? result.Bytes : 0;
            stream.OnDelivered(written);
        }

        PendingBytes.Hold(ref _pending, stream.Tunnel.Loop.Buffers, buffer, ranges, written);
    }

    public void OnEndOfStream()
    {
        _ending = true;
        FlushPending();
    }

    public void OnWritable()
    {
        if (_pending is { IsEmpty: false })
            FlushPending();
    }

    public void OnHangup()
    {
        Errno error = socket.TakeError();
        if (error != Errno.None)
            stream.OnApplicationFailed(error);
        else
            stream.OnBytesForTunnel();   // reading tells whether it was an orderly end
    }

    private void FlushPending()
    {
        if (_pending is { IsEmpty: false } pending)
        {
            IoResult result = pending.WriteTo(socket);
            stream.OnDelivered(result.Bytes);
            if (result.Status == IoStatus.Failed)
            {
                stream.OnApplicationFailed(result.Error);
                return;
            }

            if (!pending.IsEmpty)
                return;
        }

        if (_ending)
        {
            _ending = false;
            socket.ShutdownWrite();
            stream.OnEndDelivered();
        }
    }
}
