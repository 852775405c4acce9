using Microsoft.Extensions.Logging;

namespace Ztunnel.Telemetry.Logging;

/// <summary>The levels of a log line and of a filter, quietest first.</summary>
public enum LogSeverity
{
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// <summary>The words of <see cref="LogSeverity"/> and their place in the logging abstractions.</summary>
public static class LogSeverityText
{
    public static string Word(this LogSeverity severity) => severity switch
    {
        LogSeverity.Error => "error",
        LogSeverity.Warn => "warn",
        LogSeverity.Info => "info",
        LogSeverity.Debug => "debug",
        LogSeverity.Trace => "trace",
        _ => "off",
    };

    /// <summary>Reads a level word in any case, or a digit from 0 (off) to 5 (trace). <c>warning</c> and <c>critical</c> are what istioctl sends inside lists.</summary>
    public static bool TryParse(ReadOnlySpan<char> word, out LogSeverity severity)
    {
        Span<char> lower = stackalloc char[8];
        int length = word.Length <= lower.Length ? word.ToLowerInvariant(lower) : 0;
        (bool known, severity) = lower[..length] switch
        {
            "off" or "0" => (true, LogSeverity.Off),
            "error" or "critical" or "1" => (true, LogSeverity.Error),
            "warn" or "warning" or "2" => (true, LogSeverity.Warn),
            "info" or "3" => (true, LogSeverity.Info),
            "debug" or "4" => (true, LogSeverity.Debug),
            "trace" or "5" => (true, LogSeverity.Trace),
            _ => (false, LogSeverity.Off),
        };
        return known;
    }

    internal static LogSeverity From(LogLevel level) => level switch
    {
        LogLevel.Trace => LogSeverity.Trace,
        LogLevel.Debug => LogSeverity.Debug,
        LogLevel.Information => LogSeverity.Info,
        LogLevel.Warning => LogSeverity.Warn,
        LogLevel.Error or LogLevel.Critical => LogSeverity.Error,
        _ => LogSeverity.Off,
    };
}
