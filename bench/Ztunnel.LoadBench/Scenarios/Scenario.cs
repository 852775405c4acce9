using Ztunnel.LoadBench.Measurement;
using Ztunnel.LoadBench.Subjects;

namespace Ztunnel.LoadBench.Scenarios;

/// <summary>One question to all subjects: which load, for how long, and which numbers answer it.</summary>
internal sealed record Scenario
{
    public required string Name { get; init; }

    public required string Question { get; init; }

    /// <summary>Options of the load client, without the window.</summary>
    public required Func<Subject, string[]> Load { get; init; }

    public TimeSpan WarmUp { get; init; } = TimeSpan.FromSeconds(0.3);

    public TimeSpan Measured { get; init; } = TimeSpan.FromSeconds(1.2);

    /// <summary>What a run may take beyond its window: opening thousands of connections, waiting for rest.</summary>
    public TimeSpan SetupLimit { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Asked of the subjects beside the main ones too, which would make a run too long otherwise.</summary>
    public bool IsCore { get; init; }

    /// <summary>All subjects at the same time and once: for memory, which does not depend on who else uses the processors, and for waiting.</summary>
    public bool IsConcurrent { get; init; }

    /// <summary>Whether each run starts its proxies anew: for memory, and for destinations that must be unknown.</summary>
    public bool NeedsNewPair { get; init; }

    /// <summary>A direct connection has no proxies to ask about.</summary>
    public bool IsAboutProxies { get; init; }

    /// <summary>Nor has one without encryption anything to shake hands about.</summary>
    public bool IsAboutTls { get; init; }

    public required Func<LoadResult, IEnumerable<(Metric Metric, double Value)>> Read { get; init; }

    public bool Concerns(Subject subject) => (!IsAboutProxies || subject.IsCaptured) && (!IsAboutTls || subject.IsEncrypted);
}
