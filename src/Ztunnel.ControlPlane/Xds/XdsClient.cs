using System.Diagnostics;
using System.Globalization;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Ztunnel.ControlPlane.Grpc;
using Ztunnel.Mesh.State;
using Ztunnel.Protos.Discovery;
using Ztunnel.Telemetry.Logging;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.ControlPlane.Xds;

/// <summary>Keeps the mesh as the control plane says: one delta ADS stream at a time, a new one whenever it ends, for ever (control-path 3).</summary>
/// <remarks>
/// The life of a stream: connect with fresh roots and token, send both initial requests, then read, apply, answer, one response after the other.
/// The mesh of the last stream stays in force until the next one brings the difference.
/// </remarks>
public sealed class XdsClient : IAsyncDisposable
{
    private const int DemandQueueLimit = 1024;

    // A failed write says little; the reason comes by the other direction, if it comes.
    private static readonly TimeSpan ReasonTimeout = TimeSpan.FromSeconds(1);

    private static readonly GrpcMethod<DeltaDiscoveryRequest, DeltaDiscoveryResponse> Method =
        new("envoy.service.discovery.v3.AggregatedDiscoveryService", "DeltaAggregatedResources", DeltaDiscoveryResponse.Parser);

    private readonly XdsClientSettings _settings;
    private readonly DeltaProtocol _protocol;
    private readonly XdsMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly XdsBackoff _backoff = new();
    private readonly HeapBehindPushes _heap = new(HeapBehindPushes.CollectYoung);
    private readonly Channel<string> _demand = Channel.CreateBounded<string>(new BoundedChannelOptions(DemandQueueLimit) { SingleReader = true });
    private readonly CancellationTokenSource _stopping = new();
    private Task _running = Task.CompletedTask;
    private int _streams;

    public XdsClient(XdsClientSettings settings, MeshStore store, XdsMetrics metrics, TimeProvider time, ILogger logger)
    {
        _settings = settings;
        _protocol = new DeltaProtocol(settings.Node, settings.OnDemand, store);
        _metrics = metrics;
        _time = time;
        _logger = logger;
        Status = new XdsStatus(time);
    }

    /// <summary>For metrics and dumps.</summary>
    public XdsStatus Status { get; }

    public void Start() => _running = Task.Run(RunAsync);

    /// <summary>Fetches a resource in on-demand mode: <c>network/ip</c>, <c>namespace/hostname</c> or a workload's uid. The caller has looked into the mesh first and looks again afterwards.</summary>
    public async ValueTask<OnDemandOutcome> FetchAsync(string name, CancellationToken cancellation)
    {
        bool isNew = _protocol.Names.TryBegin(name, out Task<OnDemandOutcome>? answer);
        if (answer is null) return OnDemandOutcome.Unknown;
        // The queue is full while there is no stream, or the server does not read: nothing can be concluded.
        if (isNew && !_demand.Writer.TryWrite(name)) _protocol.Names.Forget(name);
        try
        {
            return await answer.WaitAsync(_settings.OnDemandTimeout, _time, cancellation);
        }
        catch (TimeoutException)
        {
            return OnDemandOutcome.Unknown;
        }
    }

    private async Task RunAsync()
    {
        try
        {
            while (true)
            {
                LogSpan span = new("xds", new KeyValuePair<string, string>("id", (++_streams).ToString(CultureInfo.InvariantCulture)));
                XdsStreamEnding ending = await RunStreamAsync(span);
                Status.OnDisconnected();
                _metrics.Terminated(ending.Reason);
                if (ending.IsRequestTooLarge)
                {
                    _protocol.OnRequestTooLarge();
                    XdsLog.RequestTooLarge(_logger, ending.Status.ToString()!, span);
                }
                TimeSpan delay = _backoff.Next(Random.Shared.NextDouble());
                Report(ending, delay, span);
                await Task.Delay(delay, _time, _stopping.Token);
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // Stopped.
        }
    }

    private async Task<XdsStreamEnding> RunStreamAsync(LogSpan span)
    {
        bool established = false;
        try
        {
            // A channel for each stream: nothing of a broken connection, and nothing of old roots, is carried over.
            using GrpcChannel channel = new(_settings.Channel, _time, _logger);
            await using GrpcDuplexCall<DeltaDiscoveryRequest, DeltaDiscoveryResponse> call = await channel.OpenDuplexAsync(Method, _stopping.Token);
            using CancellationTokenSource ending = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
            Task<DeltaDiscoveryResponse?> read = call.ReadAsync(ending.Token).AsTask();
            Task<bool> demand = _demand.Reader.WaitToReadAsync(ending.Token).AsTask();
            try
            {
                foreach (DeltaDiscoveryRequest request in _protocol.OpenStream()) await WriteAsync(call, request, read);
                Task firstLimit = Task.Delay(_settings.FirstResponseTimeout, _time, ending.Token);
                while (true)
                {
                    Task next = established ? await Task.WhenAny(read, demand) : await Task.WhenAny(read, demand, firstLimit);
                    if (next == firstLimit)
                    {
                        await firstLimit;
                        throw new GrpcException(GrpcStatusCode.DeadlineExceeded, $"no response within {_settings.FirstResponseTimeout.TotalSeconds} s");
                    }
                    if (next == demand)
                    {
                        await demand;
                        foreach (DeltaDiscoveryRequest request in _protocol.Ask(TakeDemand())) await WriteAsync(call, request, read);
                        demand = _demand.Reader.WaitToReadAsync(ending.Token).AsTask();
                        continue;
                    }

                    if (await read is not { } response) return XdsStreamEnding.Completed;
                    if (!established) XdsLog.Established(_logger, span);
                    established = true;
                    DeltaOutcome outcome = Apply(response, span);
                    read = call.ReadAsync(ending.Token).AsTask();
                    foreach (DeltaDiscoveryRequest answer in outcome.Answers) await WriteAsync(call, answer, read);
                    _heap.OnApplied(outcome.Change);
                }
            }
            finally
            {
                await ending.CancelAsync();
                await Task.WhenAll(read, demand).ContinueWith(static over => _ = over.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }
        }
        catch (GrpcException error)
        {
            return XdsStreamEnding.From(error, established);
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            // A fault of ours must not leave the node without updates for ever: the next stream sends the whole difference again.
            XdsLog.Fault(_logger, error, span);
            return new XdsStreamEnding(XdsTermination.Error, new GrpcStatus(GrpcStatusCode.Internal, error.Message), IsRequestTooLarge: false);
        }
    }

    private DeltaOutcome Apply(DeltaDiscoveryResponse response, LogSpan span)
    {
        XdsLog.Received(_logger, response.TypeUrl, response.Resources.Count, response.RemovedResources.Count, span);
        long begin = _time.GetTimestamp();
        DeltaOutcome outcome = _protocol.OnResponse(response);
        _metrics.Received(response.TypeUrl, outcome.PayloadBytes);
        Status.OnApplied(_time.GetElapsedTime(begin), ResourceTypes.FromUrl(response.TypeUrl), outcome.Rejects.Count, _protocol.Held(ResourceType.Address), _protocol.Held(ResourceType.Authorization));
        _backoff.OnApplied();
        if (outcome.Change is null) XdsLog.UnknownType(_logger, response.TypeUrl, span);
        if (outcome.Rejects.Count > 0) XdsLog.Rejected(_logger, outcome.Rejects.Count, response.TypeUrl, outcome.Answers[0].ErrorDetail.Message, span);
        return outcome;
    }

    private async Task WriteAsync(
        GrpcDuplexCall<DeltaDiscoveryRequest, DeltaDiscoveryResponse> call, DeltaDiscoveryRequest request, Task<DeltaDiscoveryResponse?> read)
    {
        using CancellationTokenSource timeout = new(_settings.WriteTimeout, _time);
        using CancellationTokenSource both = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, _stopping.Token);
        try
        {
            await call.WriteAsync(request, both.Token);
        }
        catch (OperationCanceledException) when (!_stopping.IsCancellationRequested)
        {
            throw new GrpcException(GrpcStatusCode.DeadlineExceeded, $"the server did not take a request within {_settings.WriteTimeout.TotalSeconds} s");
        }
        catch (GrpcException)
        {
            await Task.WhenAny(read, Task.Delay(ReasonTimeout, _time, _stopping.Token));
            if (read.IsFaulted) await read;   // throws the reason
            throw;
        }
    }

    private List<string> TakeDemand()
    {
        List<string> names = [];
        while (names.Count < DemandQueueLimit && _demand.Reader.TryRead(out string? name)) names.Add(name);
        return names;
    }

    private void Report(XdsStreamEnding ending, TimeSpan delay, LogSpan span)
    {
        switch (ending.Reason)
        {
            case XdsTermination.ConnectionError: XdsLog.ConnectionError(_logger, ending.Status.ToString()!, delay, ending.Hint, span); break;
            case XdsTermination.Error: XdsLog.StreamError(_logger, ending.Status.ToString()!, delay, ending.Hint, span); break;
            case XdsTermination.Reconnect: XdsLog.Reconnecting(_logger, ending.Status.ToString()!, delay, span); break;
            case XdsTermination.Complete: XdsLog.Completed(_logger, delay, span); break;
            default: throw new UnreachableException();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running;
        _stopping.Dispose();
    }
}
