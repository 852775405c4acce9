using Ztunnel.Http.Dump;

namespace Ztunnel.Serving;

/// <summary>What the process serves: all pods of a node, or one workload.</summary>
public interface IServing
{
    /// <summary>What it adds to the dump.</summary>
    IEnumerable<IDumpSection> DumpSections { get; }

    /// <summary>The pods of now, in no particular order. Any thread.</summary>
    IEnumerable<PodView> Pods { get; }

    /// <summary>Binds what this process is known to serve (control-path 1.2, step 17): connections wait in the queues, they are not refused.</summary>
    /// <exception cref="StartException">A port cannot be had.</exception>
    void Bind();

    /// <summary>Serves; the mesh has had its first state by now.</summary>
    void Start();

    /// <summary>Closes the listeners and ends the connections: gracefully within the deadline, or at once.</summary>
    Task StopAsync(bool graceful);
}
