using System.Diagnostics;
using System.Globalization;
using System.Reflection;

namespace Ztunnel.Fuzz.Tests;

/// <summary>
/// Runs one target over made-up inputs. Each case depends on the seed and its number only, so that a failure is found again: the message says with which variables.
/// By default a target runs its number of cases from seed 1; tests/fuzz.sh gives all targets together some minutes instead, and another seed.
/// </summary>
internal static class FuzzRun
{
    private const string Seed = "FUZZ_SEED";
    private const string Case = "FUZZ_CASE";
    private const string Minutes = "FUZZ_MINUTES";
    private const string Counts = "FUZZ_COUNTS";   // a file that gets a line for each target: how many inputs it tried

    private static readonly Lock Counting = new();

    private static readonly int Targets = typeof(FuzzRun).Assembly.GetTypes().SelectMany(static type => type.GetMethods()).Count(static method => method.GetCustomAttribute<FactAttribute>() is not null);

    public static void Cases(string target, int cases, Action<FuzzInput> check)
    {
        int seed = Read(Seed) is { } given ? int.Parse(given, CultureInfo.InvariantCulture) : 1;
        if (Read(Case) is { } only)
        {
            Run(target, seed, int.Parse(only, CultureInfo.InvariantCulture), check);
            return;
        }

        if (Read(Minutes) is not { } minutes)
        {
            for (int number = 0; number < cases; number++)
                Run(target, seed, number, check);
            return;
        }

        TimeSpan share = TimeSpan.FromMinutes(double.Parse(minutes, CultureInfo.InvariantCulture)) / Targets;
        long started = Stopwatch.GetTimestamp();
        int tried = 0;
        for (; Stopwatch.GetElapsedTime(started) < share; tried++)
            Run(target, seed, tried, check);
        if (Read(Counts) is { } file)
        {
            lock (Counting)
                File.AppendAllText(file, $"{tried} {target}\n");
        }
    }

    private static string? Read(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    private static void Run(string target, int seed, int number, Action<FuzzInput> check)
    {
        var input = new FuzzInput(Mix(target, seed, number));
        try
        {
            check(input);
        }
        catch (Exception failure)
        {
            throw new FuzzFailureException($"{target}, found again by {Seed}={seed} {Case}={number}: {failure.GetType().Name}: {failure.Message}\nlast damaged: {input.Damaged}", failure);
        }
    }

    // FNV-1a: the same on every machine and run, unlike string.GetHashCode.
    private static int Mix(string target, int seed, int number)
    {
        uint hash = 2166136261;
        foreach (char letter in target)
            hash = (hash ^ letter) * 16777619;
        hash = (hash ^ (uint)seed) * 16777619;
        return (int)((hash ^ (uint)number) * 16777619);
    }
}

/// <summary>A case that failed, and how it is found again.</summary>
public sealed class FuzzFailureException(string message, Exception cause) : Exception(message, cause);
