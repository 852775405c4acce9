using System.Net;
using Ztunnel.Linux.Loop;

namespace Ztunnel.Linux.Sockets;

/// <summary>One listening socket that every loop accepts from. May be stopped from any thread.</summary>
public sealed class ListenerSocket : IDisposable
{
    private static int Started;

    private readonly SocketHandle _handle;
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private AcceptWatch[] _watches = [];

    // Shared by the loops: whoever brings it to zero closes.
    private int _remaining;
    private int _stopping;
    private volatile bool _drain;

    private ListenerSocket(SocketHandle handle)
    {
        _handle = handle;
        LocalEndPoint = handle.LocalEndPoint;
    }

    /// <summary>Whether connections through this listener may keep their client's address.</summary>
    public bool IsTransparent => _handle.IsTransparent;

    public IPEndPoint LocalEndPoint { get; }

    /// <summary>Takes the listening socket over and accepts on all loops from now on.</summary>
    public static ListenerSocket Start(SocketHandle listening, LoopGroup loops, IAcceptHandler handler)
    {
        ArgumentNullException.ThrowIfNull(listening);
        ArgumentNullException.ThrowIfNull(loops);
        ArgumentNullException.ThrowIfNull(handler);
        var listener = new ListenerSocket(listening);
        listener.Join(loops, handler);
        return listener;
    }

    /// <summary>
    /// Stops accepting: connections that wait in the queue still go to the handler, then the socket closes. Completes when it has.
    /// With SO_REUSEPORT a successor that listens already gets all later ones; what arrives in the microseconds between is moved by a kernel with net.ipv4.tcp_migrate_req.
    /// </summary>
    public Task StopAccepting()
    {
        Leave(drain: true);
        return _stopped.Task;
    }

    /// <summary>Closes without draining: connections in the queue are reset.</summary>
    public void Dispose() => Leave(drain: false);

    internal void OnLeft(AcceptWatch watch)
    {
        if (Interlocked.Decrement(ref _remaining) != 0)
        {
            return;
        }

        if (_drain)
        {
            watch.DrainQueue();
        }

        Close();
    }

    private void Join(LoopGroup loops, IAcceptHandler handler)
    {
        // The kernel asks waiting loops in the order they joined. Listeners begin with different loops, so that a quiet node's connections do not all end up on the first.
        int first = (int)((uint)Interlocked.Increment(ref Started) % (uint)loops.Loops.Count);
        _remaining = loops.Loops.Count;
        _watches = new AcceptWatch[loops.Loops.Count];
        for (int index = 0; index < _watches.Length; index++)
        {
            EventLoop loop = loops.Loops[(first + index) % _watches.Length];
            _watches[index] = new AcceptWatch(loop, this, _handle.Descriptor, handler, loops.AcceptReports);
        }

        foreach (AcceptWatch watch in _watches)
        {
            RunOnLoop(watch, static state => ((AcceptWatch)state!).Join());
        }
    }

    private void Leave(bool drain)
    {
        if (Interlocked.Exchange(ref _stopping, 1) != 0)
        {
            return;
        }

        _drain = drain;
        foreach (AcceptWatch watch in _watches)
        {
            RunOnLoop(watch, static state => ((AcceptWatch)state!).Leave());
        }
    }

    private void RunOnLoop(AcceptWatch watch, Action<object?> call)
    {
        if (!watch.Loop.Post(call, watch) && watch.TryLeaveEndedLoop() && Interlocked.Decrement(ref _remaining) == 0)
        {
            Close();
        }
    }

    private void Close()
    {
        _handle.Dispose();
        _stopped.TrySetResult();
    }
}
