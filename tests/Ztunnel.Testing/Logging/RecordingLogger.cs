using Microsoft.Extensions.Logging;

namespace Ztunnel.Testing.Logging;

/// <summary>Keeps what is logged, of all targets, for tests that say what an operator reads.</summary>
public sealed class RecordingLogger : ILogger, ILoggerFactory
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly List<(LogLevel Level, string Text)> _lines = [];
    private readonly List<(LogLevel Level, string Part, int Times, TaskCompletionSource Seen)> _waiters = [];

    public IReadOnlyList<string> Lines(LogLevel level)
    {
        lock (_lock)
            return [.. _lines.Where(line => line.Level == level).Select(static line => line.Text)];
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (_lock)
        {
            _lines.Add((logLevel, formatter(state, exception)));
            foreach ((_, _, _, TaskCompletionSource seen) in _waiters.Where(waiter => Count(waiter.Level, waiter.Part) >= waiter.Times))
                seen.TrySetResult();
        }
    }

    /// <summary>Completes when such a line was or is logged, for the given time.</summary>
    public async Task WaitForAsync(LogLevel level, string part, int times = 1)
    {
        TaskCompletionSource seen = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (Count(level, part) >= times)
                return;
            _waiters.Add((level, part, times, seen));
        }

        try
        {
            await seen.Task.WaitAsync(Limit);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"'{part}' was not logged {times} times at {level}; logged was:\n{string.Join('\n', All())}");
        }
    }

    /// <summary>How often such a line was logged.</summary>
    public int Count(LogLevel level, string part)
    {
        lock (_lock)
            return _lines.Count(line => line.Level == level && line.Text.Contains(part, StringComparison.Ordinal));
    }

    public void Dispose()
    {
    }

    private IReadOnlyList<string> All()
    {
        lock (_lock)
            return [.. _lines.Select(static line => $"{line.Level}: {line.Text}")];
    }
}
