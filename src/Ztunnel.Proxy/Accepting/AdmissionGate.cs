namespace Ztunnel.Proxy.Accepting;

/// <summary>Whether new connections are let in. Closed while memory is short: what is open goes on, what would come is refused at once, before it costs anything (ARCHITECTURE.md, "When memory runs short").</summary>
/// <remarks>Set by whoever watches the memory, asked by every loop for every connection: one read.</remarks>
public sealed class AdmissionGate
{
    private volatile bool _isClosed;
    private long _refused;

    /// <summary>Connections and requests refused so far.</summary>
    public long Refused => Volatile.Read(ref _refused);

    public bool IsClosed => _isClosed;

    public void Close() => _isClosed = true;

    public void Open() => _isClosed = false;

    /// <summary>True for a connection that has to go; <see cref="WorkloadLoop.RefusesNew"/> tells the metrics.</summary>
    internal bool Refuses()
    {
        if (!_isClosed)
            return false;
        Interlocked.Increment(ref _refused);
        return true;
    }
}
