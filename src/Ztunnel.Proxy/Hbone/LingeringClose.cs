using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Proxy.Hbone;

/// <summary>
/// The end of a socket whose tunnel has said everything: our direction is ended, and what the peer still sends is read and dropped until it ends too.
/// Closed at once, the kernel would answer the peer's next window update with a reset and throw away what it has not delivered yet: the last bytes of the last stream.
/// </summary>
/// <remarks>Loop thread only.</remarks>
internal sealed class LingeringClose : ISocketHandler, ILoopItem
{
    // A peer that reads at all has read a full window by then; one that does not is not waited for.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    // As for a receiver: the other connections of the loop get their turn.
    private const int ReadsPerTurn = 4;

    private readonly LoopSocket _socket;
    private readonly Action _gone;
    private readonly LoopTimer _limit;
    private bool _isOver;

    /// <param name="socket">Everything has been given to the kernel; owned from now on.</param>
    /// <param name="gone">Called once, when the socket is closed.</param>
    public LingeringClose(LoopSocket socket, Action gone)
    {
        _socket = socket;
        _gone = gone;
        _limit = new LoopTimer(socket.Loop, static state => ((LingeringClose)state!).Close(), this);
        _limit.Arm(Limit);
        socket.Handler = this;
        socket.ShutdownWrite();
        // In a turn of its own: whoever ends the tunnel may be using the receive buffer.
        socket.Loop.EnqueueReady(this);
    }

    public bool IsQueued { get; set; }

    /// <summary>Waits no longer.</summary>
    public void Close()
    {
        if (_isOver)
            return;

        _isOver = true;
        _limit.Cancel();
        _socket.Dispose();
        _gone();
    }

    public void Run()
    {
        for (int read = 0; read < ReadsPerTurn; read++)
        {
            if (_isOver)
                return;

            IoResult result = _socket.Receive(_socket.Loop.ReceiveScratch.Span);
            if (result.Status == IoStatus.WouldBlock)
                return;
            if (result.Status != IoStatus.Done)
                Close();
        }

        if (!_isOver)
            _socket.Loop.EnqueueReady(this);
    }

    public void OnReadable() => Run();

    public void OnWritable()
    {
        // Nothing is left to be written.
    }

    public void OnHangup() => Run();
}
