using Ztunnel.LoadBench.Load;
using Ztunnel.LoadBench.Scenarios;
using Ztunnel.LoadBench.Subjects;

namespace Ztunnel.LoadBench;

/// <summary>What `run` was asked for.</summary>
internal sealed record BenchSettings
{
    private static readonly string[] DefaultSubjects = ["direct", "relay", "nginx", "nginx-2", "haproxy", "ztunnel", "ztunnel-2"];
    private static readonly string[] QuickSubjects = ["direct", "relay", "nginx", "haproxy", "ztunnel"];

    public required IReadOnlyList<Subject> Subjects { get; init; }

    public required IReadOnlyList<Scenario> Scenarios { get; init; }

    public required int Repetitions { get; init; }

    /// <summary>How often one measurement may be made until the machine was quiet enough during it.</summary>
    public required int Attempts { get; init; }

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
            Subjects = [.. (subjects.Length > 0 ? subjects : isQuick ? QuickSubjects : DefaultSubjects).Select(Subject.Find)],
            Scenarios = ScenarioCatalogue.Select(arguments.List("--scenarios"), isQuick),
            Repetitions = arguments.Number("--repetitions", isQuick ? 2 : 5),
            Attempts = isQuick ? 1 : 3,
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
