namespace Ztunnel.Proxy.Telemetry;

/// <summary>What one pod's connections of one direction have moved on one loop.</summary>
/// <remarks>Written by the loop's thread only, with plain adds; read by anybody, a moment late at worst.</remarks>
internal sealed class PodTraffic
{
    private long _opened;
    private long _closed;
    private long _failed;
    private long _receivedBytes;
    private long _sentBytes;

    public PodTrafficTotals Totals => new(
        Volatile.Read(ref _opened), Volatile.Read(ref _closed), Volatile.Read(ref _failed), Volatile.Read(ref _receivedBytes), Volatile.Read(ref _sentBytes));

    public void Opened() => _opened++;

    public void Closed(bool failed)
    {
        _closed++;
        if (failed)
            _failed++;
    }

    /// <summary>From client to service.</summary>
    public void AddReceived(int bytes) => _receivedBytes += bytes;

    /// <summary>From service to client.</summary>
    public void AddSent(int bytes) => _sentBytes += bytes;
}

/// <summary>Connections and bytes of a pod in one direction since its proxy started. Bytes are counted from client to service (received) and back (sent), as in data-path 8.6.</summary>
public readonly record struct PodTrafficTotals(long OpenedConnections, long ClosedConnections, long FailedConnections, long ReceivedBytes, long SentBytes)
{
    public long OpenConnections => Math.Max(0, OpenedConnections - ClosedConnections);

    public static PodTrafficTotals operator +(PodTrafficTotals one, PodTrafficTotals other) => new(
        one.OpenedConnections + other.OpenedConnections,
        one.ClosedConnections + other.ClosedConnections,
        one.FailedConnections + other.FailedConnections,
        one.ReceivedBytes + other.ReceivedBytes,
        one.SentBytes + other.SentBytes);
}
