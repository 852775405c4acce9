using System.Globalization;

namespace Ztunnel.Settings;

/// <summary>
/// Durations of settings (control-path 2.1): numbers with units, one after the other or joined by <c>+</c> (<c>1m30s</c>, <c>1h + 5m</c>); a bare number means seconds.
/// A year has 365 days, a month 30.
/// </summary>
public static class DurationParser
{
    private const string Expected = "expected a number with one of y, mon, w, d, h, m, s, ms, us, ns, such as 1m30s";

    public static bool TryParse(string text, out TimeSpan duration, out string reason)
    {
        duration = default;
        decimal seconds = 0;
        ReadOnlySpan<char> rest = text.AsSpan().Trim();
        if (rest.IsEmpty)
        {
            reason = $"empty duration, {Expected}";
            return false;
        }

        while (true)
        {
            int digits = rest.IndexOfAnyExcept("0123456789.");
            ReadOnlySpan<char> number = digits < 0 ? rest : rest[..digits];
            if (!decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal value))
            {
                reason = $"'{rest}' does not begin with a number, {Expected}";
                return false;
            }

            rest = rest[number.Length..].TrimStart();
            int letters = rest.IndexOfAny("0123456789.+ ");
            ReadOnlySpan<char> unit = letters < 0 ? rest : rest[..letters];
            if (SecondsOf(unit) is not { } factor)
            {
                reason = $"unknown unit '{unit}', {Expected}";
                return false;
            }

            seconds += value * factor;
            rest = rest[unit.Length..].Trim();
            if (rest.IsEmpty)
                break;
            if (rest[0] == '+')
                rest = rest[1..].TrimStart();
        }

        if (seconds > (decimal)TimeSpan.MaxValue.TotalSeconds / 2)
        {
            reason = "longer than 14 000 years";
            return false;
        }

        duration = TimeSpan.FromTicks((long)(seconds * TimeSpan.TicksPerSecond));
        reason = "";
        return true;
    }

    private static decimal? SecondsOf(ReadOnlySpan<char> unit) => unit switch
    {
        "y" or "year" or "years" => 365 * 86_400m,
        "mon" or "month" or "months" => 30 * 86_400m,
        "w" or "week" or "weeks" => 7 * 86_400m,
        "d" or "day" or "days" => 86_400m,
        "h" or "hr" or "hour" or "hours" => 3600m,
        "m" or "min" or "minute" or "minutes" => 60m,
        "" or "s" or "sec" or "second" or "seconds" => 1m,
        "ms" or "msec" or "millisecond" or "milliseconds" => 0.001m,
        "us" or "µs" or "usec" or "microsecond" or "microseconds" => 0.000_001m,
        "ns" or "nsec" or "nanosecond" or "nanoseconds" => 0.000_000_001m,
        _ => null,
    };
}
