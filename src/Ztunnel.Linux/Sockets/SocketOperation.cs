using System.Threading.Tasks.Sources;
using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Loop;

namespace Ztunnel.Linux.Sockets;

/// <summary>One awaited read or write of a set-up phase. It is pooled with its timer, waits for readiness, and completes inline on the loop.</summary>
internal sealed class SocketOperation : IValueTaskSource<IoResult>, IReadinessWaiter, ILoopItem
{
    private readonly SocketOperationPool _pool;
    private readonly LoopTimer _timer;
    private InlineCompletion<IoResult> _completion;
    private PollableSocket? _socket;
    private NativeBuffer? _buffer;
    private Kind _kind;
    private int _offset;
    private int _length;
    private int _moved;

    public SocketOperation(SocketOperationPool pool, EventLoop loop)
    {
        _pool = pool;
        _timer = new LoopTimer(loop, static self => ((SocketOperation)self!).Finish(Errno.ETIMEDOUT), this);
    }

    private enum Kind
    {
        Receive,
        WaitReadable,
        SendAll,
    }

    bool ILoopItem.IsQueued { get; set; }

    public SocketOperation? NextFree { get; set; }

    public ValueTask<IoResult> Receive(LoopSocket socket, NativeBuffer buffer, int offset, TimeSpan timeout)
    {
        (_buffer, _offset, _length) = (buffer, offset, buffer.Length - offset);
        return Begin(Kind.Receive, socket, timeout);
    }

    public ValueTask<IoResult> WaitReadable(PollableSocket socket, TimeSpan timeout) => Begin(Kind.WaitReadable, socket, timeout);

    public ValueTask<IoResult> SendAll(LoopSocket socket, NativeBuffer buffer, int offset, int length, int alreadySent, TimeSpan timeout)
    {
        (_buffer, _offset, _length, _moved) = (buffer, offset, length, alreadySent);
        return Begin(Kind.SendAll, socket, timeout);
    }

    public IoResult GetResult(short token)
    {
        IoResult result = _completion.GetResult(token);
        (_socket, _buffer, _moved) = (null, null, 0);
        _completion.Reset();
        _pool.Put(this);
        return result;
    }

    public ValueTaskSourceStatus GetStatus(short token) => _completion.GetStatus(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _completion.OnCompleted(continuation, state, token, flags);

    void IReadinessWaiter.OnReady()
    {
        switch (_kind)
        {
            case Kind.WaitReadable:
                Finish(IoResult.Moved(0));
                break;
            case Kind.Receive:
                IoResult received = ((LoopSocket)_socket!).Receive(_buffer!.Slice(_offset, _length));
                if (received.Status != IoStatus.WouldBlock)
                {
                    Finish(received);
                }

                break;
            default:
                SendMore();
                break;
        }
    }

    /// <summary>Answered in the next turn: whoever closes the socket does not expect its reader to run inside that call.</summary>
    void IReadinessWaiter.OnClosed()
    {
        _timer.Cancel();
        _pool.Loop.EnqueueReady(this);
    }

    void ILoopItem.Run() => _completion.Complete(new IoResult(IoStatus.Failed, _moved, Errno.ECANCELED));

    private ValueTask<IoResult> Begin(Kind kind, PollableSocket socket, TimeSpan timeout)
    {
        _kind = kind;
        _socket = socket;
        if (kind == Kind.SendAll)
        {
            socket.AwaitWritable(this);
        }
        else
        {
            socket.AwaitReadable(this);
        }

        _timer.Arm(timeout);
        return new ValueTask<IoResult>(this, _completion.Version);
    }

    private void SendMore()
    {
        IoResult sent = ((LoopSocket)_socket!).Send(_buffer!.Slice(_offset + _moved, _length - _moved));
        _moved += sent.Bytes;
        if (sent.Status == IoStatus.Failed)
        {
            Finish(sent.Error);
        }
        else if (_moved == _length)
        {
            Finish(IoResult.Moved(_moved));
        }
    }

    private void Finish(Errno error) => Finish(new IoResult(IoStatus.Failed, _moved, error));

    private void Finish(IoResult result)
    {
        _timer.Cancel();
        if (_kind == Kind.SendAll)
        {
            _socket!.ForgetWriter();
        }
        else
        {
            _socket!.ForgetReader();
        }

        _completion.Complete(result);
    }
}
