using Ztunnel.LoadBench.Load;
using Ztunnel.LoadBench.Scenarios;
using Ztunnel.LoadBench.Subjects;

namespace Ztunnel.LoadBench;

/// <summary>What `run` was asked for.</summary>
internal sealed record BenchSettings
{

    public required IReadOnlyList<Subject> Subjects { get; init; }

    /// <summary>Subjects that a run names are asked everything, the main ones or not.</summary>
    public required bool HasNamedSubjects { get; init; }

    public required IReadOnlyList<Scenario> Scenarios { get; init; }

    public required int Repetitions { get; init; }

    /// <summary>How long the run may spend on measuring again what strangers on the processors disturbed.</summary>
    public required TimeSpan Patience { get; init; }

    /// <summary>What other programs of bench/ measured in the same run, a line each; null: nothing.</summary>
    public required string? Elsewhere { get; init; }

    public required BinaryPaths Binaries { get; init; }

    /// <summary>Root directory of another Debian whose programs and libraries the subjects use; null: this machine's.</summary>
    public required string? Root { get; init; }

    public required string OutputFolder { get; init; }

    public required string CongestionControl { get; init; }

    public required string Commit { get; init; }

    public required string CommandLine { get; init; }

    public static BenchSettings Read(Arguments arguments)
    {
        bool isQuick = arguments.Has("--quick");
        string[] subjects = arguments.List("--subjects");
        var settings = new BenchSettings
        {
            Subjects = [.. subjects.Length > 0 ? subjects.Select(Subject.Find) : Subject.All.Where(subject => !isQuick || subject.IsMain)],
            HasNamedSubjects = subjects.Length > 0,
            Scenarios = ScenarioCatalogue.Select(arguments.List("--scenarios"), isQuick),
            Repetitions = arguments.Number("--repetitions", isQuick ? 2 : 3),
            Patience = isQuick ? TimeSpan.Zero : TimeSpan.FromMinutes(1),
            Elsewhere = arguments.Find("--elsewhere"),
            Binaries = new BinaryPaths(Environment.ProcessPath!, arguments.Find("--ztunnel")),
            Root = arguments.Find("--root"),
            OutputFolder = arguments.Text("--output"),
            CongestionControl = arguments.Text("--congestion", "cubic"),
            Commit = arguments.Text("--commit", "unknown"),
            CommandLine = arguments.Text("--command", "ztunnel-bench run"),
        };
        arguments.RejectOthers();
        return settings.Repetitions > 0 ? settings : throw new UsageException("--repetitions 0: expected at least 1");
    }
}
