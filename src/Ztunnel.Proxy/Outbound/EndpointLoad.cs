using Ztunnel.Linux.Loop;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;

namespace Ztunnel.Proxy.Outbound;

/// <summary>
/// What one loop knows of the endpoints it sends connections to: how many are open, and which ones failed a moment ago. An endpoint that fails is avoided for a short time that doubles with
/// every further failure and is forgotten with the first success.
/// </summary>
/// <remarks>Loop thread only. Endpoints that are idle and well are not kept.</remarks>
internal sealed class EndpointLoad(EventLoop loop) : ILoadView
{
    // Long enough to spare the next connections the wait for a dead endpoint, short enough that one lost packet does not matter.
    private const long FirstAvoidanceMilliseconds = 1_000;
    private const long LongestAvoidanceMilliseconds = 30_000;

    private readonly Dictionary<string, Entry> _entries = [];

    public int Connections(Workload workload) => _entries.TryGetValue(workload.Uid, out Entry entry) ? entry.Connections : 0;

    public bool IsAvoided(Workload workload) => _entries.TryGetValue(workload.Uid, out Entry entry) && entry.AvoidedUntil > loop.NowMilliseconds;

    /// <summary>The endpoints that are used or avoided now.</summary>
    public IReadOnlyList<EndpointState> Describe() =>
        [.. _entries.Select(entry => new EndpointState(entry.Key, entry.Value.Connections, entry.Value.AvoidedUntil > loop.NowMilliseconds))];

    /// <summary>A connection to the endpoint is being opened.</summary>
    public void Started(Workload workload)
    {
        Entry entry = _entries.GetValueOrDefault(workload.Uid);
        _entries[workload.Uid] = entry with { Connections = entry.Connections + 1 };
    }

    /// <summary>The endpoint answered.</summary>
    public void Succeeded(Workload workload)
    {
        if (_entries.TryGetValue(workload.Uid, out Entry entry) && entry.Failures > 0)
            _entries[workload.Uid] = new Entry(entry.Connections, 0, 0);
    }

    /// <summary>The endpoint could not be reached or did not answer.</summary>
    public void Failed(Workload workload)
    {
        Entry entry = _entries.GetValueOrDefault(workload.Uid);
        long avoidance = Math.Min(FirstAvoidanceMilliseconds << Math.Min(entry.Failures, 10), LongestAvoidanceMilliseconds);
        _entries[workload.Uid] = entry with { Failures = entry.Failures + 1, AvoidedUntil = loop.NowMilliseconds + avoidance };
        ForgetThoseOver();
    }

    /// <summary>A connection counted by <see cref="Started"/> is over.</summary>
    public void Ended(Workload workload)
    {
        if (!_entries.TryGetValue(workload.Uid, out Entry entry))
            return;

        entry = entry with { Connections = entry.Connections - 1 };
        if (entry.Connections <= 0 && entry.Failures == 0)
            _entries.Remove(workload.Uid);
        else
            _entries[workload.Uid] = entry;
    }

    // Failures of endpoints that are never tried again would stay: each new failure sweeps those whose longest avoidance is over.
    private void ForgetThoseOver()
    {
        long now = loop.NowMilliseconds;
        foreach ((string uid, Entry entry) in _entries)
        {
            if (entry.Connections <= 0 && entry.AvoidedUntil + LongestAvoidanceMilliseconds < now)
                _entries.Remove(uid);
        }
    }

    private readonly record struct Entry(int Connections, int Failures, long AvoidedUntil);
}
