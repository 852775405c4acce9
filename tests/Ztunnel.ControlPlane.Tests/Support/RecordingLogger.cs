using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Ztunnel.ControlPlane.Tests.Support;

/// <summary>Keeps what is logged, for tests that say what an operator reads.</summary>
internal sealed class RecordingLogger : ILogger
{
    private readonly ConcurrentQueue<(LogLevel Level, string Text)> _lines = new();

    public IReadOnlyList<string> Lines(LogLevel level) => [.. _lines.Where(line => line.Level == level).Select(static line => line.Text)];

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _lines.Enqueue((logLevel, formatter(state, exception)));
}
