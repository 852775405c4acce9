using System.Globalization;

namespace Ztunnel.Endurance;

/// <summary>The command line: <c>--minutes 20 --seed 1 --ztunnel FILE</c>.</summary>
/// <param name="Duration">Of the load that is judged; warm-up and the checks come on top.</param>
/// <param name="Seed">What load and churn choose from.</param>
/// <param name="Binary">The published ztunnel.</param>
/// <param name="LogFolder">Where every program's whole output goes; null: nowhere, the last lines are kept in memory.</param>
internal sealed record SoakSettings(TimeSpan Duration, int Seed, string Binary, string? LogFolder)
{
    public const string Usage = "usage: Ztunnel.Endurance [--minutes N] [--seed N] [--ztunnel FILE] [--logs DIRECTORY]";
    private static readonly TimeSpan ShortestWarmUp = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan LongestWarmUp = TimeSpan.FromSeconds(60);

    /// <summary>Everything that grows to a working size once has done so by then; a long run allows a longer one, since the heap finds its size later than pools do.</summary>
    public TimeSpan WarmUp => TimeSpan.FromTicks(Math.Clamp(Duration.Ticks / 10, ShortestWarmUp.Ticks, LongestWarmUp.Ticks));

    /// <exception cref="ArgumentException">The message says what is wrong.</exception>
    public static SoakSettings Parse(string[] arguments)
    {
        var settings = new SoakSettings(TimeSpan.FromMinutes(20), 1, "artifacts/native/ztunnel", null);
        for (int i = 0; i < arguments.Length; i += 2)
        {
            string value = i + 1 < arguments.Length ? arguments[i + 1] : throw new ArgumentException($"{arguments[i]} has no value");
            settings = arguments[i] switch
            {
                "--minutes" when double.TryParse(value, CultureInfo.InvariantCulture, out double minutes) && minutes is > 0 and <= 100_000 => settings with { Duration = TimeSpan.FromMinutes(minutes) },
                "--minutes" => throw new ArgumentException($"--minutes {value}: expected a number above 0"),
                "--seed" when int.TryParse(value, CultureInfo.InvariantCulture, out int seed) => settings with { Seed = seed },
                "--seed" => throw new ArgumentException($"--seed {value}: expected a whole number"),
                "--ztunnel" => settings with { Binary = Path.GetFullPath(value) },
                "--logs" => settings with { LogFolder = Directory.CreateDirectory(value).FullName },
                _ => throw new ArgumentException($"unknown option {arguments[i]}"),
            };
        }

        return File.Exists(settings.Binary) ? settings : throw new ArgumentException($"--ztunnel {settings.Binary}: no such file; src/publish.sh makes it");
    }
}
