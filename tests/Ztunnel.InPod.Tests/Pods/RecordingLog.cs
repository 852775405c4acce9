using Microsoft.Extensions.Logging;

namespace Ztunnel.InPod.Tests.Pods;

/// <summary>Keeps what was logged, and lets a test wait for it.</summary>
internal sealed class RecordingLog : ILogger
{
    private readonly Lock _lock = new();
    private readonly List<string> _lines = [];
    private readonly List<(string Part, TaskCompletionSource Seen)> _watchers = [];

    public string[] Lines
    {
        get
        {
            lock (_lock)
                return [.. _lines];
        }
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    /// <summary>A line is the message and then every value, so that fields can be looked for too.</summary>
    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        string line = $"{logLevel} {formatter(state, exception)} {string.Join(' ', state as IEnumerable<KeyValuePair<string, object?>> ?? [])}";
        lock (_lock)
        {
            _lines.Add(line);
            foreach ((_, TaskCompletionSource seen) in _watchers.Where(watcher => line.Contains(watcher.Part, StringComparison.Ordinal)))
                seen.TrySetResult();
        }
    }

    public Task WaitForAsync(string part)
    {
        var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_lines.Any(line => line.Contains(part, StringComparison.Ordinal)))
                return Task.CompletedTask;
            _watchers.Add((part, seen));
        }

        return seen.Task.WaitAsync(TimeSpan.FromSeconds(10));
    }
}
