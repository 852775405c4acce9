using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.Routing;

/// <summary>What a loop knows of the endpoints it has used.</summary>
public interface ILoadView
{
    /// <summary>Connections open or being opened to the workload.</summary>
    public int Connections(Workload workload);

    /// <summary>The workload failed a short while ago: it is chosen only when there is nothing else.</summary>
    public bool IsAvoided(Workload workload);
}

/// <summary>Knows nothing: every endpoint is idle and well.</summary>
public sealed class NoLoad : ILoadView
{
    public static readonly NoLoad Instance = new();

    public int Connections(Workload workload) => 0;

    public bool IsAvoided(Workload workload) => false;
}
