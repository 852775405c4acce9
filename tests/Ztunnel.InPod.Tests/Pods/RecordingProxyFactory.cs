using Ztunnel.InPod.Pods;
using Ztunnel.Linux.Namespaces;

namespace Ztunnel.InPod.Tests.Pods;

/// <summary>Stands for the data plane: writes down what it is asked, fails for the pods a test names.</summary>
internal sealed class RecordingProxyFactory : IWorkloadProxyFactory
{
    private readonly Lock _lock = new();
    private readonly List<string> _events = [];
    private readonly List<(string Event, TaskCompletionSource Seen)> _watchers = [];

    /// <summary>uid → why its proxy does not start.</summary>
    public Dictionary<string, string> Failures { get; } = [];

    /// <summary>Starts of this uid do not end before they are cancelled.</summary>
    public string? Hanging { get; set; }

    /// <summary>Starts wait for this, whatever is cancelled meanwhile: a machine that is too busy.</summary>
    public TaskCompletionSource? StartGate { get; set; }

    /// <summary>Every start goes through this first, with its uid.</summary>
    public Func<string, Task>? Starting { get; set; }

    /// <summary>Graceful stops wait for this.</summary>
    public TaskCompletionSource? StopGate { get; set; }

    public string[] Events
    {
        get
        {
            lock (_lock)
                return [.. _events];
        }
    }

    public async Task<IWorkloadProxy> StartAsync(PodIdentity pod, NetworkNamespace podNamespace, CancellationToken cancellation)
    {
        Record($"start {pod.Uid}");
        if (pod.Uid == Hanging)
            await new TaskCompletionSource().Task.WaitAsync(cancellation);
        if (StartGate is { } gate)
            await gate.Task;
        if (Starting is { } starting)
            await starting(pod.Uid);
        return Failures.TryGetValue(pod.Uid, out string? failure) ? throw new IOException(failure) : new RecordingProxy(this, pod.Uid);
    }

    /// <summary>Completes when the event has been recorded, or was.</summary>
    public Task WaitForAsync(string happened)
    {
        var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_events.Contains(happened))
                return Task.CompletedTask;
            _watchers.Add((happened, seen));
        }

        return seen.Task.WaitAsync(TimeSpan.FromSeconds(10));
    }

    private void Record(string happened)
    {
        lock (_lock)
        {
            _events.Add(happened);
            foreach ((_, TaskCompletionSource seen) in _watchers.Where(watcher => watcher.Event == happened))
                seen.TrySetResult();
        }
    }

    private sealed class RecordingProxy(RecordingProxyFactory owner, string uid) : IWorkloadProxy
    {
        public async Task StopAsync(bool graceful)
        {
            owner.Record(graceful ? $"drain {uid}" : $"stop {uid}");
            if (graceful && owner.StopGate is { } gate)
                await gate.Task;
            owner.Record($"stopped {uid}");
        }
    }
}
