using System.Collections.Immutable;
using Ztunnel.Mesh.Model;

namespace Ztunnel.ControlPlane.LocalFile;

/// <summary>Everything the local file says, in its order.</summary>
public sealed record LocalMesh(ImmutableArray<Workload> Workloads, ImmutableArray<Service> Services, ImmutableArray<Policy> Policies)
{
    public static readonly LocalMesh Empty = new([], [], []);
}

/// <summary>A local file that cannot be used, with all its mistakes.</summary>
public sealed class LocalFileException(string source, IReadOnlyList<FileProblem> problems)
    : Exception(string.Join('\n', problems.Select(problem => $"{source}: {problem}")))
{
    public IReadOnlyList<FileProblem> Problems { get; } = problems;
}
