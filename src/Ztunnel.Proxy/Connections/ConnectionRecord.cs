using System.Net;
using Ztunnel.Mesh.Model;
using Ztunnel.Proxy.Telemetry;
using Ztunnel.Telemetry.Logging;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy.Connections;

/// <summary>What is known of a connection when its books are opened.</summary>
internal readonly ref struct ConnectionDescription
{
    public required TrafficLabels Labels { get; init; }

    public required IPEndPoint Source { get; init; }

    public Workload? SourceWorkload { get; init; }

    /// <summary>What the log shows as <c>dst.addr</c> (data-path 9.2).</summary>
    public required IPEndPoint Destination { get; init; }

    public string? HboneAuthority { get; init; }

    public Workload? DestinationWorkload { get; init; }

    public required long StartMilliseconds { get; init; }

    public UInt128 TraceId { get; init; }

    public int Attempts { get; init; }
}

/// <summary>
/// The books of one connection: counted as opened when made, closed once with the same labels, and one access log line at the end (data-path 8, 9.2).
/// </summary>
/// <remarks>Loop thread only.</remarks>
internal sealed class ConnectionRecord
{
    private readonly ProxyLoop _loop;
    private readonly TrafficConnection _traffic;
    private readonly PodTraffic _podTraffic;
    private readonly IPEndPoint _source;
    private readonly IPEndPoint _destination;
    private readonly Workload? _sourceWorkload;
    private readonly Workload? _destinationWorkload;
    private readonly string? _hboneAuthority;
    private readonly long _startMilliseconds;
    private readonly UInt128 _traceId;
    private readonly int _attempts;
    private bool _closed;

    public ConnectionRecord(WorkloadLoop home, in ConnectionDescription description)
    {
        ProxyLoop loop = home.Proxy;
        _loop = loop;
        _source = description.Source;
        _destination = description.Destination;
        _sourceWorkload = description.SourceWorkload;
        _destinationWorkload = description.DestinationWorkload;
        _hboneAuthority = description.HboneAuthority;
        _startMilliseconds = description.StartMilliseconds;
        _traceId = description.TraceId;
        _attempts = description.Attempts;
        _traffic = loop.Context.Traffic.Opened(loop.Loop.Index, description.Labels);
        _podTraffic = home.TrafficOf(description.Labels.Reporter);
        _podTraffic.Opened();
        if (loop.Context.Access.IsEnabled(LogSeverity.Debug))
            loop.Context.Access.Opened(Describe(default));
    }

    /// <summary>The address dialled.</summary>
    public IPEndPoint Destination => _destination;

    /// <summary>Bytes either way so far.</summary>
    public long MovedBytes => _traffic.ReceivedBytes + _traffic.SentBytes;

    /// <summary>Bytes from client to service.</summary>
    public void AddReceived(int bytes)
    {
        _traffic.AddReceived(bytes);
        _podTraffic.AddReceived(bytes);
    }

    /// <summary>Bytes from service to client.</summary>
    public void AddSent(int bytes)
    {
        _traffic.AddSent(bytes);
        _podTraffic.AddSent(bytes);
    }

    /// <summary>Closes the books; the first cause counts.</summary>
    public void Close(in ConnectionOutcome outcome)
    {
        if (_closed)
            return;

        _closed = true;
        _traffic.Close(outcome.ResponseFlag);
        _loop.Context.Outcomes.Ended(_loop.Loop.Index, _traffic.Labels.Reporter, outcome.Reason);
        _podTraffic.Closed(failed: !outcome.IsSuccess);
        // Failures are kept for those who ask later, also when nobody logs them.
        if (!outcome.IsSuccess || _loop.Context.Access.IsEnabled(LogSeverity.Info))
            _loop.Context.Access.Complete(Describe(outcome));
    }

    private AccessRecord Describe(in ConnectionOutcome outcome) => new()
    {
        Labels = _traffic.Labels,
        Source = _source,
        SourceWorkload = _sourceWorkload?.Name,
        Destination = _destination,
        HboneAuthority = _hboneAuthority,
        DestinationWorkload = _destinationWorkload?.Name,
        ReceivedBytes = _traffic.ReceivedBytes,
        SentBytes = _traffic.SentBytes,
        Duration = TimeSpan.FromMilliseconds(_loop.Loop.NowMilliseconds - _startMilliseconds),
        Error = outcome.Error,
        ResponseFlag = outcome.ResponseFlag,
        Reason = outcome.IsSuccess ? null : outcome.Code,
        TraceId = _traceId,
        Attempts = _attempts,
        Way = outcome.Way?.ToString(),
    };
}
