using System.Globalization;

namespace Ztunnel.Telemetry.Logging;

/// <summary>Durations as log lines show them: <c>1.5s</c>, <c>4.9063ms</c>, <c>12.3µs</c>; the unit keeps at least one digit before the point.</summary>
public static class DurationText
{
    public static string Describe(TimeSpan duration)
    {
        (decimal value, string unit) = Math.Abs(duration.Ticks) switch
        {
            >= TimeSpan.TicksPerSecond => ((decimal)duration.Ticks / TimeSpan.TicksPerSecond, "s"),
            >= TimeSpan.TicksPerMillisecond => ((decimal)duration.Ticks / TimeSpan.TicksPerMillisecond, "ms"),
            >= TimeSpan.TicksPerMicrosecond => ((decimal)duration.Ticks / TimeSpan.TicksPerMicrosecond, "µs"),
            _ => (duration.Ticks * TimeSpan.NanosecondsPerTick, "ns"),
        };
        return value.ToString("0.#######", CultureInfo.InvariantCulture) + unit;
    }
}
