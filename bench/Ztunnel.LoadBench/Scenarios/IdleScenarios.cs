using System.Globalization;
using Ztunnel.LoadBench.Subjects;
using Ztunnel.LoadBench.Topology;

namespace Ztunnel.LoadBench.Scenarios;

/// <summary>What idle connections and tunnels cost in memory, and what is left of them when they are gone. All subjects at the same time: most of it is waiting.</summary>
internal static class IdleScenarios
{
    public const string Idle = "idle";
    public const string Tunnels = "idle-tunnels";

    /// <summary>After a minute; and after five, plus the half minute within which a tunnel unused for five minutes is closed.</summary>
    public const int FirstLookSeconds = 60;
    public const int LastLookSeconds = 330;

    /// <summary>Descriptors that a proxy needs besides two for each connection.</summary>
    private const int SpareDescriptors = 1000;

    private static readonly int[] Steps = [1_000, 10_000, 50_000];

    /// <summary>Connections that a process which needs two descriptors for each can have on this machine.</summary>
    public static int MostConnections { get; } = (FileLimit.Hard - SpareDescriptors) / 2 / 500 * 500;

    public static IEnumerable<Scenario> All(bool isQuick)
    {
        // A program may give memory back when it has been at rest for a while: ours two seconds after large work, half a minute after small.
        string[] waiting = ["--rest", "5", "--settle", "5"];
        yield return new Scenario
        {
            Name = Idle,
            Question = $"resident memory at rest and for each idle connection{(MostConnections < Steps[^1] ? $" (descriptors allow {MostConnections} at a time)" : "")}, and what is left when all are gone",
            Load = subject => ["--kind", "idle", .. waiting, "--wire-port", Text(Testbed.WirePort), .. Growth(subject, isQuick)],
            SetupLimit = TimeSpan.FromMinutes(20),
            NeedsNewPair = true,
            IsAboutProxies = true,
            IsConcurrent = true,
            Read = Readings.Memory,
        };
        yield return new Scenario
        {
            Name = Tunnels,
            Question = "resident memory for each idle tunnel: 1,000 connections to 1,000 addresses",
            Load = _ => ["--kind", "idle", .. waiting, "--wire-port", Text(Testbed.WirePort), "--fresh-from", Testbed.FreshFirst, "--fresh-count", "1000"],
            SetupLimit = TimeSpan.FromMinutes(5),
            NeedsNewPair = true,
            IsAboutProxies = true,
            IsConcurrent = true,
            Read = Readings.TunnelMemory,
        };
    }

    private static string[] Growth(Subject subject, bool isQuick)
    {
        int most = subject.MostIdleConnections;
        IEnumerable<int> steps = (isQuick ? Steps[1..2] : Steps).Where(step => step <= most).Select(static step => Math.Min(step, MostConnections)).Distinct();
        return
        [
            "--steps", string.Join(',', steps.Select(Text)),
            .. isQuick ? Array.Empty<string>() : ["--come-and-go", Text(most), "--left", $"{FirstLookSeconds},{LastLookSeconds}"],
        ];
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
