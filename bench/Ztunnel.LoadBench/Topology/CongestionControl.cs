namespace Ztunnel.LoadBench.Topology;

/// <summary>
/// Lets namespaces use a congestion control that the machine restricts to itself: BBR, the default of some machines, doubles the cost of a veth (pacing timers, small segments).
/// The machine's list is put back as soon as the namespaces have their setting.
/// </summary>
internal sealed class CongestionControl : IDisposable
{
    private const string AllowedPath = "/proc/sys/net/ipv4/tcp_allowed_congestion_control";

    private readonly string _allowedBefore;

    private CongestionControl(string allowedBefore)
    {
        _allowedBefore = allowedBefore;
    }

    public static CongestionControl Allow(string name)
    {
        string available = File.ReadAllText("/proc/sys/net/ipv4/tcp_available_congestion_control").Trim();
        if (!available.Split(' ').Contains(name))
        {
            throw new BenchException($"congestion control {name} is not available here: {available}");
        }

        var before = new CongestionControl(File.ReadAllText(AllowedPath).Trim());
        if (!before._allowedBefore.Split(' ').Contains(name))
        {
            File.WriteAllText(AllowedPath, $"{before._allowedBefore} {name}");
        }

        return before;
    }

    public void Dispose() => File.WriteAllText(AllowedPath, _allowedBefore);
}
