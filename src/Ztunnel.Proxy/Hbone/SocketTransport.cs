using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Proxy.Hbone;

/// <summary>Carries a tunnel over a socket of the loop, which it owns.</summary>
internal sealed class SocketTransport(LoopSocket socket) : ITunnelTransport, ISocketHandler
{
    private SocketSender? _sender;
    private SocketReceiver? _receiver;
    private LingeringClose? _finishing;

    public EventLoop Loop => socket.Loop;

    public bool IsBlocked => _sender is { IsBlocked: true };

    public TcpInfo? ReadTcpInfo() => socket.ReadTcpInfo();

    public TimeSpan? ReadRoundTrip() => socket.ReadShortestRoundTrip();

    public ValueTask<IoResult> ReceiveAsync(NativeBuffer buffer, int offset, TimeSpan timeout) => socket.ReceiveAsync(buffer, offset, timeout);

    public ValueTask<IoResult> SendAllAsync(NativeBuffer buffer, int offset, int length, TimeSpan timeout) => socket.SendAllAsync(buffer, offset, length, timeout);

    public void Start(HboneConnection tunnel, NativeBuffer? received, int receivedBytes)
    {
        _sender = new SocketSender(tunnel, socket);
        _receiver = new SocketReceiver(tunnel, socket, received, receivedBytes);
        socket.Handler = this;
        _sender.Schedule();
        Loop.EnqueueReady(_receiver);
    }

    public void Schedule() => _sender!.Schedule();

    public void Flush() => _sender!.Run();

    public void Finish(ReadOnlySpan<byte> lastRecord, Action gone)
    {
        SayLast(lastRecord);
        _finishing = new LingeringClose(socket, gone);
    }

    public void Close(ReadOnlySpan<byte> lastRecord)
    {
        if (_finishing is { } finishing)
        {
            finishing.Close();
            return;
        }

        SayLast(lastRecord);
        socket.Dispose();
    }

    public void OnReadable() => _receiver!.Run();

    public void OnWritable() => _sender!.OnWritable();

    // What is still in the receive buffer counts; the read that finds it empty reports the end or the error.
    public void OnHangup() => _receiver!.Run();

    private void SayLast(ReadOnlySpan<byte> lastRecord)
    {
        // A blocked socket cannot take it: the peer learns of the end from the FIN.
        if (!lastRecord.IsEmpty && !IsBlocked)
            socket.Send(lastRecord);
        _sender?.Release();
        _receiver?.Release();
    }
}
