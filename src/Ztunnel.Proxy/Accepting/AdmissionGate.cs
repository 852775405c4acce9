namespace Ztunnel.Proxy.Accepting;

/// <summary>Whether new connections are let in. Closed while memory is short: what is open goes on, what would come is refused at once, before it costs anything (ARCHITECTURE.md, "When memory runs short").</summary>
/// <remarks>Set by whoever watches the memory, asked by every loop for every connection: one read and one decrement.</remarks>
public sealed class AdmissionGate
{
    private volatile bool _isClosed;
    private Action _look = static () => { };
    private int _untilLook = int.MaxValue;
    private long _refused;

    /// <summary>Connections and requests refused so far.</summary>
    public long Refused => Volatile.Read(ref _refused);

    public bool IsClosed => _isClosed;

    public void Close() => _isClosed = true;

    public void Open() => _isClosed = false;

    /// <summary>Who looks at the memory when as many have come as <see cref="Allow"/> said: a crowd may arrive between two looks of a clock. Called by the loop that let the last one in.</summary>
    public void Watch(Action look) => _look = look;

    /// <summary>So many may come before the memory is looked at again.</summary>
    public void Allow(int connections) => Volatile.Write(ref _untilLook, connections);

    /// <summary>True for a connection that has to go; <see cref="WorkloadLoop.RefusesNew"/> tells the metrics.</summary>
    public bool Refuses()
    {
        if (!_isClosed && Interlocked.Decrement(ref _untilLook) == 0)
            _look();
        if (!_isClosed)
            return false;
        Interlocked.Increment(ref _refused);
        return true;
    }
}
