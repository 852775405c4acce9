using System.Globalization;

namespace Ztunnel.Settings;

/// <summary>How many event loops there are (control-path 2.2, "Worker threads").</summary>
public static class WorkerThreads
{
    // Without any limit given, a quarter of the machine, but two loops at least: one would let a single busy connection delay all.
    private const double DefaultShare = 0.25;
    private const int DefaultMinimum = 2;

    public static int Read(SettingReader reader, ProxyConfig config)
    {
        int? limit = Quantity(reader, "ZTUNNEL_RESOURCE_CPU_LIMIT");
        int? request = Quantity(reader, "ZTUNNEL_RESOURCE_CPU_REQUEST");
        int processors = limit ?? reader.OptionalNumber<int>("ZTUNNEL_CPU_LIMIT") ?? reader.Source.ProcessorCount;
        int threads = Explicit(reader, processors)
            ?? (config.Concurrency is { } concurrency ? (concurrency > 0 ? concurrency : processors) : (int?)null)
            ?? (limit is { } limited
                ? Math.Max(limited, request ?? 0)
                : Math.Max(Math.Max((int)Math.Ceiling(DefaultShare * processors), request ?? 0), DefaultMinimum));
        return Math.Max(threads, 1);
    }

    private static int? Explicit(SettingReader reader, int processors)
    {
        const string Name = "ZTUNNEL_WORKER_THREADS";
        if (reader.OptionalText(Name) is not { } value)
            return null;
        if (!value.EndsWith('%'))
        {
            // 0 stands for all processors; a negative number of threads is as wrong as a word.
            if (SettingReader.NumberMistake<ushort>(value) is not { } mistake)
                return int.Parse(value, CultureInfo.InvariantCulture) is > 0 and var threads ? threads : processors;
            reader.Invalid(Name, value, mistake + " or a percentage such as 50%");
            return null;
        }

        if (!double.TryParse(value.AsSpan(0, value.Length - 1), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double percent) || percent is <= 0 or > 100)
        {
            reader.Invalid(Name, value, "percentage must be between 0 and 100");
            return null;
        }

        return Math.Max(1, (int)Math.Ceiling(processors * percent / 100));
    }

    // "2", "0.5", "1500m": as Kubernetes writes processors; rounded up.
    private static int? Quantity(SettingReader reader, string name)
    {
        if (reader.OptionalText(name) is not { } value)
            return null;
        bool milli = value.EndsWith('m');
        ReadOnlySpan<char> digits = milli ? value.AsSpan(0, value.Length - 1) : value;
        if (!double.TryParse(digits, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out double quantity) || quantity <= 0 || quantity > 1_000_000)
        {
            reader.Invalid(name, value, "expected a positive number of processors such as 2, 0.5 or 500m");
            return null;
        }

        return (int)Math.Ceiling(milli ? quantity / 1000 : quantity);
    }
}
