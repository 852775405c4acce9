using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Ztunnel.Telemetry.Logging;

/// <summary>
/// Loggers on the sink. A category is a target as the plain format shows it (<c>proxy::outbound</c>). In a generated log method, arguments that the message mentions become text of the message and
/// arguments it does not mention become fields, in order; an argument of type <see cref="LogSpan"/> becomes a span.
/// </summary>
public sealed class LogProvider(LogSink sink, LogLevels levels) : ILoggerProvider, ILoggerFactory
{
    private readonly ConcurrentDictionary<string, ILogger> _loggers = new(StringComparer.Ordinal);

    public ILogger CreateLogger(string categoryName) =>
        _loggers.GetOrAdd(categoryName, static (name, provider) => provider.Create(name), this);

    /// <summary>There is one sink; it is composed, not added.</summary>
    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("all lines go to one sink");

    public void Dispose()
    {
        // The sink belongs to whoever made it.
    }

    private ILogger Create(string category) => new TargetLogger(sink, levels.GateOf(LogTarget.FromCategory(category)));
}
