using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Ztunnel.ControlPlane.Tests.Support;

/// <summary>Keeps what is logged, for tests that say what an operator reads.</summary>
internal sealed class RecordingLogger : ILogger
{
    private readonly ConcurrentQueue<(LogLevel Level, string Text)> _lines = new();
    private readonly ConcurrentQueue<(Predicate<(LogLevel Level, string Text)> Wanted, TaskCompletionSource Seen)> _waiters = new();

    public IReadOnlyList<string> Lines(LogLevel level) => [.. _lines.Where(line => line.Level == level).Select(static line => line.Text)];

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        (LogLevel, string) line = (logLevel, formatter(state, exception));
        _lines.Enqueue(line);
        foreach ((Predicate<(LogLevel, string)> wanted, TaskCompletionSource seen) in _waiters)
        {
            if (wanted(line)) seen.TrySetResult();
        }
    }

    /// <summary>Completes when such a line was or is logged.</summary>
    public async Task WaitForAsync(LogLevel level, string part)
    {
        TaskCompletionSource seen = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiters.Enqueue((line => line.Level == level && line.Text.Contains(part, StringComparison.Ordinal), seen));
        if (Lines(level).Any(line => line.Contains(part, StringComparison.Ordinal))) return;
        await seen.Task.WaitAsync(TimeSpan.FromSeconds(10));
    }
}
