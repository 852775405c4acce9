using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.State;

/// <summary>Changes to the members of one service, collected over an update so that its array is rebuilt once.</summary>
internal sealed class EndpointChanges
{
    private readonly Dictionary<Workload, Workload?> _replaced = new(ReferenceEqualityComparer.Instance);   // members before the update → after it, null: gone
    private readonly Dictionary<string, Workload> _added = new(StringComparer.Ordinal);                     // by uid, in order of arrival

    /// <summary>The record changed but the members did not.</summary>
    public bool ServiceChanged { get; set; }

    public Service? Service { get; set; }

    /// <param name="uid">Of the workload.</param>
    /// <param name="before">The workload as this service's member before the update, if it was one.</param>
    /// <param name="now">The workload as a member from now on, or null.</param>
    public void Set(string uid, Workload? before, Workload? now)
    {
        if (before is not null) _replaced[before] = now;
        else if (now is not null) _added[uid] = now;
        else _added.Remove(uid);
    }

    public Workload[] Apply(Workload[] members)
    {
        if (_replaced.Count == 0 && _added.Count == 0) return members;

        var changed = new List<Workload>(members.Length + _added.Count);
        foreach (Workload member in members)
        {
            if (!_replaced.TryGetValue(member, out Workload? now)) changed.Add(member);
            else if (now is not null) changed.Add(now);
        }
        changed.AddRange(_added.Values);
        return [.. changed];
    }
}
