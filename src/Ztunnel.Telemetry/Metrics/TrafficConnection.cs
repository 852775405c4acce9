using System.Diagnostics;

namespace Ztunnel.Telemetry.Metrics;

/// <summary>
/// One connection's place in the traffic metrics, from opened to closed. Owned by the loop that opened it. Bytes are counted as Istio does for both reporters:
/// received is the request direction (client to service), sent the response direction (data-path 8.6).
/// </summary>
public sealed class TrafficConnection
{
    private readonly SeriesTable<TrafficLabels>.Cells _cells;
    private bool _closed;

    internal TrafficConnection(SeriesTable<TrafficLabels>.Cells cells, TrafficLabels labels)
    {
        _cells = cells;
        Labels = labels;
    }

    /// <summary>The labels of the series, shared by all connections in it: keep these rather than the ones that were passed in.</summary>
    public TrafficLabels Labels { get; }

    /// <summary>Bytes from client to service on this connection.</summary>
    public long ReceivedBytes { get; private set; }

    /// <summary>Bytes from service to client on this connection.</summary>
    public long SentBytes { get; private set; }

    public void AddReceived(long bytes)
    {
        Debug.Assert(!_closed, $"{bytes} bytes received after the connection was closed");
        ReceivedBytes += bytes;
        _cells.Add(TrafficMetrics.ReceivedValue, bytes);
    }

    public void AddSent(long bytes)
    {
        Debug.Assert(!_closed, $"{bytes} bytes sent after the connection was closed");
        SentBytes += bytes;
        _cells.Add(TrafficMetrics.SentValue, bytes);
    }

    /// <summary>Counts the connection as closed, and as failed unless the flag is <see cref="ResponseFlag.None"/>. The first call counts, later ones do nothing.</summary>
    public void Close(ResponseFlag flag)
    {
        if (_closed)
            return;
        _closed = true;
        _cells.Add(TrafficMetrics.FirstClosedValue + (int)flag, 1);
        SeriesTable<TrafficLabels>.Unpin(_cells);
    }
}
