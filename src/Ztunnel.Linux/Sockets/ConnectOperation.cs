using System.Net;
using System.Threading.Tasks.Sources;
using Ztunnel.Linux.Interop;
using Ztunnel.Linux.Loop;

namespace Ztunnel.Linux.Sockets;

/// <summary>One attempt to connect. Not pooled, unlike other operations: a cancellation may come from any thread and late, and must find its own attempt, not a later one.</summary>
internal sealed class ConnectOperation : IValueTaskSource<ConnectResult>, IReadinessWaiter, ILoopItem
{
    private readonly LoopSocket _socket;
    private readonly LoopTimer _timer;
    private InlineCompletion<ConnectResult> _completion;
    private CancellationTokenRegistration _cancellation;
    private bool _isFinished;

    private ConnectOperation(LoopSocket socket)
    {
        _socket = socket;
        _timer = new LoopTimer(socket.Loop, static self => ((ConnectOperation)self!).Fail(Errno.ETIMEDOUT, isTimeout: true), this);
    }

    bool ILoopItem.IsQueued { get; set; }

    public static unsafe ValueTask<ConnectResult> Start(EventLoop loop, SocketHandle handle, IPEndPoint remote, TimeSpan timeout, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(loop);
        ArgumentNullException.ThrowIfNull(handle);
        if (ct.IsCancellationRequested)
        {
            return Refused(handle, Errno.ECANCELED);
        }

        // Connect first, then register: an unconnected socket in an epoll set answers with a hang-up at once.
        NativeAddress address = NativeAddress.From(remote, handle.Family);
        fixed (byte* bytes = address.Bytes)
        {
            SysResult begun = Libc.Connect(handle.Descriptor, bytes, address.Length);
            if (begun.Failed && begun.Error != Errno.EINPROGRESS)
            {
                return Refused(handle, begun.Error);
            }
        }

        var socket = new LoopSocket(loop, handle.Release(), address.ToEndPoint());
        Errno error = socket.StartConnecting();
        if (error != Errno.None)
        {
            socket.Dispose();
            return new ValueTask<ConnectResult>(new ConnectResult(null, error));
        }

        return new ConnectOperation(socket).Begin(timeout, ct);
    }

    public ConnectResult GetResult(short token) => _completion.GetResult(token);

    public ValueTaskSourceStatus GetStatus(short token) => _completion.GetStatus(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _completion.OnCompleted(continuation, state, token, flags);

    void IReadinessWaiter.OnReady()
    {
        Errno error = _socket.TakeError();
        if (error != Errno.None)
        {
            Fail(error, isTimeout: false);
            return;
        }

        _socket.ForgetWriter();
        Finish(new ConnectResult(_socket, Errno.None));
    }

    void IReadinessWaiter.OnClosed() => _socket.Loop.EnqueueReady(this);

    void ILoopItem.Run() => Fail(Errno.ECANCELED, isTimeout: false);

    private static ValueTask<ConnectResult> Refused(SocketHandle handle, Errno error)
    {
        handle.Dispose();
        return new ValueTask<ConnectResult>(new ConnectResult(null, error));
    }

    private ValueTask<ConnectResult> Begin(TimeSpan timeout, CancellationToken ct)
    {
        _socket.AwaitWritable(this);
        _timer.Arm(timeout);
        _cancellation = ct.UnsafeRegister(static self =>
        {
            var operation = (ConnectOperation)self!;
            operation._socket.Loop.Post(static state => ((ConnectOperation)state!).Fail(Errno.ECANCELED, isTimeout: false), operation);
        }, this);
        return new ValueTask<ConnectResult>(this, _completion.Version);
    }

    private void Fail(Errno error, bool isTimeout)
    {
        if (_isFinished)
        {
            return;
        }

        _socket.ForgetWriter();
        _socket.Dispose();
        Finish(new ConnectResult(null, error, isTimeout));
    }

    private void Finish(ConnectResult result)
    {
        _isFinished = true;
        _timer.Cancel();
        _cancellation.Unregister();
        _completion.Complete(result);
    }
}
