using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Ztunnel.Linux.Namespaces;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.InPod.Pods;

/// <summary>
/// The life of every pod's proxy on this node (control-path 8.3, 8.4). A source says which pods there are; this starts each proxy, tries again those that would not start, and tears down what is gone.
/// One operation at a time, in the order asked: an add after a delete of the same pod means what it says. Starting takes well under a millisecond, so the turn is short.
/// </summary>
public sealed class PodSupervisor : IAsyncDisposable
{
    // control-path 8.4: pods that failed to start are tried again together.
    private static readonly TimeSpan RetryPeriod = TimeSpan.FromSeconds(5);

    // The node agent takes an answer that comes after five seconds for the answer to its next request.
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(4);

    private readonly IWorkloadProxyFactory _factory;
    private readonly TimeProvider _time;
    private readonly WorkloadManagerMetrics _metrics;
    private readonly ILogger _log;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly CancellationTokenSource _stopped = new();
    private readonly ITimer _retryTimer;

    // Written by the holder of the turn, read by anybody.
    private volatile ImmutableDictionary<string, SupervisedPod> _pods = ImmutableDictionary<string, SupervisedPod>.Empty;

    // Teardowns under way; touched by the holder of the turn only.
    private readonly List<Task> _teardowns = [];
    private Task _retrying = Task.CompletedTask;
    private bool _isStopped;

    public PodSupervisor(IWorkloadProxyFactory factory, TimeProvider time, WorkloadManagerMetrics metrics, ILogger log)
    {
        _factory = factory;
        _time = time;
        _metrics = metrics;
        _log = log;
        _retryTimer = time.CreateTimer(static state => ((PodSupervisor)state!).BeginRetry(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Every pod, ordered by uid, for the dump.</summary>
    public IReadOnlyList<PodStatus> Pods => [.. _pods.Values.Select(static pod => pod.Status).OrderBy(static status => status.Pod.Uid, StringComparer.Ordinal)];

    public int UpCount => _pods.Values.Count(static pod => pod.IsUp);

    public int PendingCount => _pods.Values.Count(static pod => !pod.IsUp);

    /// <summary>
    /// Starts the pod's proxy and returns when its listeners are bound. The same pod in the same namespace again is success; in another one, the old proxy is torn down without waiting for it.
    /// A pod that cannot start stays pending and is tried again. Takes ownership of the namespace.
    /// </summary>
    public async Task<PodStartResult> AddAsync(PodIdentity pod, NetworkNamespace podNamespace, CancellationToken cancellation)
    {
        try
        {
            await _turn.WaitAsync(cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            podNamespace.Dispose();
            throw;
        }

        try
        {
            return await AddInTurnAsync(pod, podNamespace).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Tears the pod's proxy down at once: its network is going away. False when it was not known, which sources do not mind.</summary>
    public async Task<bool> RemoveAsync(string uid, CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            return RemoveInTurn(uid);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>The end of a snapshot: whatever it did not name is gone.</summary>
    public async Task RetainAsync(IReadOnlySet<string> uids, CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            foreach (string uid in _pods.Keys.Where(uid => !uids.Contains(uid)))
            {
                RemoveInTurn(uid);
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Stops every proxy side by side and ends when the last is down. Later adds are refused.</summary>
    public async Task StopAsync(bool graceful)
    {
        Task[] teardowns;
        await _turn.WaitAsync(CancellationToken.None).ConfigureAwait(false);
        try
        {
            _isStopped = true;
            await _stopped.CancelAsync().ConfigureAwait(false);
            foreach (SupervisedPod pod in _pods.Values)
            {
                BeginTeardown(pod, graceful);
            }

            Publish(ImmutableDictionary<string, SupervisedPod>.Empty);
            teardowns = [.. _teardowns];
        }
        finally
        {
            _turn.Release();
        }

        await Task.WhenAll([.. teardowns, _retrying]).ConfigureAwait(false);
    }

    /// <summary>Stops at once what still runs, then releases the timer.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(graceful: false).ConfigureAwait(false);
        await _retryTimer.DisposeAsync().ConfigureAwait(false);
        _stopped.Dispose();
        _turn.Dispose();
    }

    private async Task<PodStartResult> AddInTurnAsync(PodIdentity pod, NetworkNamespace podNamespace)
    {
        if (_isStopped)
        {
            podNamespace.Dispose();
            return new PodStartResult("shutting down");
        }

        if (_pods.GetValueOrDefault(pod.Uid) is { } known)
        {
            if (known.Identity == pod && known.Namespace.Id == podNamespace.Id)
            {
                podNamespace.Dispose();
                return known.IsUp ? default : await StartInTurnAsync(pod, known.Namespace).ConfigureAwait(false);
            }

            // The pod's sandbox was made anew. The new listeners are in another namespace: nothing to wait for.
            RemoveInTurn(pod.Uid);
        }

        InPodLog.PodReceived(_log, pod.Uid, pod.Name, pod.Namespace);
        return await StartInTurnAsync(pod, podNamespace).ConfigureAwait(false);
    }

    private async Task<PodStartResult> StartInTurnAsync(PodIdentity pod, NetworkNamespace podNamespace)
    {
        string? lastFailure = _pods.GetValueOrDefault(pod.Uid)?.Failure;
        SupervisedPod entry = await StartProxyAsync(pod, podNamespace).ConfigureAwait(false);
        Publish(_pods.SetItem(pod.Uid, entry));
        if (entry.IsUp)
        {
            _metrics.Started();
        }
        else
        {
            // Said again only when the reason is another one: a pod may wait for hours.
            if (entry.Failure != lastFailure)
                InPodLog.StartFailed(_log, pod.Uid, pod.Name, pod.Namespace, entry.Failure);
            _retryTimer.Change(RetryPeriod, Timeout.InfiniteTimeSpan);
        }

        return new PodStartResult(entry.Failure);
    }

    private async Task<SupervisedPod> StartProxyAsync(PodIdentity pod, NetworkNamespace podNamespace)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stopped.Token);
        using ITimer timer = _time.CreateTimer(static source => ((CancellationTokenSource)source!).Cancel(), limit, StartLimit, Timeout.InfiniteTimeSpan);
        try
        {
            return new SupervisedPod(pod, podNamespace, await _factory.StartAsync(pod, podNamespace, limit.Token).ConfigureAwait(false), Failure: null);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            return new SupervisedPod(pod, podNamespace, Proxy: null, _stopped.IsCancellationRequested ? "shutting down" : $"its proxy did not start within {StartLimit.TotalSeconds} s");
        }
        catch (Exception problem)
        {
            // Whatever one pod's namespace does to us concerns that pod: it waits, the others go on.
            return new SupervisedPod(pod, podNamespace, Proxy: null, problem.Message);
        }
    }

    private bool RemoveInTurn(string uid)
    {
        if (_pods.GetValueOrDefault(uid) is not { } pod)
        {
            return false;
        }

        InPodLog.PodRemoved(_log, uid, pod.Identity.Name, pod.Identity.Namespace);
        Publish(_pods.Remove(uid));
        BeginTeardown(pod, graceful: false);
        return true;
    }

    private void BeginTeardown(SupervisedPod pod, bool graceful)
    {
        _teardowns.RemoveAll(static teardown => teardown.IsCompleted);
        _teardowns.Add(TearDownAsync(pod, graceful));
    }

    private async Task TearDownAsync(SupervisedPod pod, bool graceful)
    {
        try
        {
            if (pod.Proxy is not null)
            {
                await pod.Proxy.StopAsync(graceful).ConfigureAwait(false);
                _metrics.Stopped();
            }
        }
        catch (Exception problem)
        {
            // A teardown that fails has nobody to answer to: said once, and the namespace is let go all the same.
            InPodLog.StopFailed(_log, pod.Identity.Uid, pod.Identity.Name, pod.Identity.Namespace, problem.Message);
        }
        finally
        {
            pod.Namespace.Dispose();
        }
    }

    private void BeginRetry()
    {
        // One round at a time. What failed early in a round that still runs has its turn in the next one, which may be the only reason for it.
        if (_retrying.IsCompleted)
        {
            _retrying = RetryPendingAsync();
        }
        else
        {
            _retryTimer.Change(RetryPeriod, Timeout.InfiniteTimeSpan);
        }
    }

    private async Task RetryPendingAsync()
    {
        foreach (string uid in _pods.Values.Where(static pod => !pod.IsUp).Select(static pod => pod.Identity.Uid))
        {
            // A turn for each: whoever waits with an add gets in between.
            await _turn.WaitAsync(CancellationToken.None).ConfigureAwait(false);
            try
            {
                if (!_isStopped && _pods.GetValueOrDefault(uid) is { IsUp: false } pod)
                {
                    await StartInTurnAsync(pod.Identity, pod.Namespace).ConfigureAwait(false);
                }
            }
            finally
            {
                _turn.Release();
            }
        }
    }

    private void Publish(ImmutableDictionary<string, SupervisedPod> pods)
    {
        _pods = pods;
        _metrics.SetActive(UpCount);
        _metrics.SetPending(PendingCount);
    }
}
