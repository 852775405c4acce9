using Microsoft.Extensions.Logging;
using Ztunnel.Telemetry.Logging;

namespace Ztunnel.Lifetime;

/// <summary>What has to happen before traffic may be sent here: a set of named tasks, ready when it is empty (control-path 1.5). A task may come back.</summary>
public sealed class Readiness(TimeProvider time, ILoggerFactory loggers)
{
    private readonly ILogger _log = loggers.CreateLogger("readiness");
    private readonly long _started = time.GetTimestamp();
    private readonly Lock _changing = new();
    private readonly SortedSet<string> _pending = new(StringComparer.Ordinal);

    /// <summary>What is still awaited, by name; nothing when ready.</summary>
    public IReadOnlyList<string> Pending
    {
        get
        {
            lock (_changing)
                return [.. _pending];
        }
    }

    public void Await(string task)
    {
        lock (_changing)
            _pending.Add(task);
    }

    public void Complete(string task)
    {
        int left;
        lock (_changing)
        {
            if (!_pending.Remove(task))
                return;
            left = _pending.Count;
        }

        string elapsed = DurationText.Describe(time.GetElapsedTime(_started));
        if (left > 0)
            DaemonLog.TaskComplete(_log, task, elapsed, left);
        else
            DaemonLog.LastTaskComplete(_log, task, elapsed);
    }
}
