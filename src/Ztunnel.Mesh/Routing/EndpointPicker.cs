using System.Diagnostics.CodeAnalysis;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;

namespace Ztunnel.Mesh.Routing;

/// <summary>Offers the endpoints of a table to one connection, each at most once: the closest first, among equals by capacity and load.</summary>
/// <remarks>
/// Among equals two are drawn by capacity and the one with fewer connections for its capacity is taken ("power of two choices"): nearly as even as looking at
/// all of them, at constant cost, and without everyone running to the same idle endpoint. Without load the first draw stands, so shares follow capacity exactly.
/// Endpoints that failed lately come last, after those of every rank that did not.
/// </remarks>
internal sealed class EndpointPicker(EndpointTable table, IRandom random, ILoadView load)
{
    // Draws that may hit an endpoint already offered or avoided before it is searched for; few endpoints are in that state, or the group is small.
    private const int MaxDraws = 8;

    // Of two endpoints both are compared in 15 of 16 choices.
    private const int MaxDrawsForOther = 4;

    // How far a search looks: with more endpoints than this to avoid, one of those is as good as the next.
    private const int MaxSearched = 256;

    private readonly List<Workload> _offered = [];

    public bool TryPick([NotNullWhen(true)] out EndpointMember? picked)
    {
        foreach (EndpointGroup group in table.Groups)
        {
            if (TryPick(group, evenAvoided: false, out picked)) return true;
        }
        foreach (EndpointGroup group in table.Groups)
        {
            if (TryPick(group, evenAvoided: true, out picked)) return true;
        }
        picked = null;
        return false;
    }

    private bool TryPick(EndpointGroup group, bool evenAvoided, [NotNullWhen(true)] out EndpointMember? picked)
    {
        int first = DrawUsable(group, evenAvoided);
        if (first < 0)
        {
            picked = null;
            return false;
        }
        picked = group.Members[first];
        int second = DrawOther(group, first);
        if (second != first && IsUsable(group.Members[second].Workload, evenAvoided) && IsLessLoaded(group.Members[second].Workload, picked.Value.Workload))
        {
            picked = group.Members[second];
        }
        _offered.Add(picked.Value.Workload);
        return true;
    }

    private int DrawOther(EndpointGroup group, int first)
    {
        int second = first;
        for (int i = 0; i < MaxDrawsForOther && second == first && group.Members.Length > 1; i++) second = group.Draw(random);
        return second;
    }

    private int DrawUsable(EndpointGroup group, bool evenAvoided)
    {
        for (int i = 0; i < MaxDraws; i++)
        {
            int drawn = group.Draw(random);
            if (IsUsable(group.Members[drawn].Workload, evenAvoided)) return drawn;
        }
        int start = (int)random.Next((ulong)group.Members.Length);
        for (int i = 0; i < Math.Min(group.Members.Length, MaxSearched); i++)
        {
            int at = (start + i) % group.Members.Length;
            if (IsUsable(group.Members[at].Workload, evenAvoided)) return at;
        }
        return -1;
    }

    private bool IsUsable(Workload workload, bool evenAvoided) => (evenAvoided || !load.IsAvoided(workload)) && !WasOffered(workload);

    private bool WasOffered(Workload workload)
    {
        foreach (Workload offered in _offered)
        {
            if (ReferenceEquals(offered, workload)) return true;
        }
        return false;
    }

    private bool IsLessLoaded(Workload one, Workload than) => (ulong)load.Connections(one) * than.Capacity < (ulong)load.Connections(than) * one.Capacity;
}
