using Ztunnel.Linux.Loop;

namespace Ztunnel.Proxy.Accepting;

/// <summary>
/// Decides which loop serves a connection that was just accepted. It stays there for life, so this is the only moment to spread work. The kernel wakes a loop that waits, which spreads connections once a loop is busy;
/// what is opened on a quiet node would all end up on the loop that is asked first, and stay there when it becomes busy.
/// </summary>
internal sealed class LoopBalance(EventLoop[] loops, LoopLoad[] loads)
{
    // A few connections stay together: they share one warm tunnel, its records and its system calls. Beyond that a second tunnel costs less than a core left idle.
    private const int SharedConnections = 4;

    /// <summary>For a connection of an application: the loop that accepted it, unless it has several more than the one that has the fewest.</summary>
    public EventLoop ForConnection(EventLoop accepted)
    {
        int least = 0;
        for (int i = 1; i < loads.Length; i++)
        {
            if (loads[i].Connections < loads[least].Connections)
                least = i;
        }

        return loads[accepted.Index].Connections - loads[least].Connections >= SharedConnections ? loops[least] : accepted;
    }

    /// <summary>For a peer's tunnel, which stands for many connections: the loop with the fewest tunnels, then the one with the fewest connections, then the one that accepted it.</summary>
    public EventLoop ForTunnel(EventLoop accepted)
    {
        int best = accepted.Index;
        for (int i = 0; i < loads.Length; i++)
        {
            LoopLoad candidate = loads[i], chosen = loads[best];
            if (candidate.Tunnels < chosen.Tunnels || (candidate.Tunnels == chosen.Tunnels && candidate.Connections < chosen.Connections))
                best = i;
        }

        return loops[best];
    }
}
