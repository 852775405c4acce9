namespace Ztunnel.Mesh.Model;

/// <summary>Service port to target port, sorted by service port. Target port 0 stands for a named port that each endpoint maps itself.</summary>
public sealed class PortMap : IEquatable<PortMap>
{
    public static readonly PortMap Empty = new([]);

    private readonly uint[] _ports;   // service port in the upper half, target port in the lower: sorted by service port

    private PortMap(uint[] ports) => _ports = ports;

    /// <summary>A service port given twice keeps its last target, as in a map on the wire.</summary>
    public static PortMap Create(params ReadOnlySpan<(ushort ServicePort, ushort TargetPort)> ports)
    {
        if (ports.IsEmpty) return Empty;

        // By hand: a workload of the mesh has one or two, and there are as many of these as workloads in a push.
        uint[] sorted = new uint[ports.Length];
        int count = 0;
        foreach ((ushort servicePort, ushort targetPort) in ports)
        {
            uint port = ((uint)servicePort << 16) | targetPort;
            int at = count;
            while (at > 0 && sorted[at - 1] >> 16 > servicePort) at--;
            if (at > 0 && sorted[at - 1] >> 16 == servicePort)
            {
                sorted[at - 1] = port;
                continue;
            }
            sorted.AsSpan(at, count - at).CopyTo(sorted.AsSpan(at + 1));
            sorted[at] = port;
            count++;
        }
        return new PortMap(count == sorted.Length ? sorted : sorted[..count]);
    }

    public int Count => _ports.Length;

    public (ushort ServicePort, ushort TargetPort) this[int index] => ((ushort)(_ports[index] >> 16), (ushort)_ports[index]);

    public bool TryGetTarget(int servicePort, out ushort targetPort)
    {
        int at = Array.BinarySearch(_ports, (uint)servicePort << 16);
        if (at < 0) at = ~at;   // the first entry of this service port or of a greater one
        bool found = at < _ports.Length && _ports[at] >> 16 == servicePort;
        targetPort = found ? (ushort)_ports[at] : (ushort)0;
        return found;
    }

    public bool HasTarget(int targetPort)
    {
        foreach (uint port in _ports)
        {
            if ((ushort)port == targetPort) return true;
        }
        return false;
    }

    public bool Equals(PortMap? other) => ReferenceEquals(this, other) || (other is not null && _ports.AsSpan().SequenceEqual(other._ports));

    public override bool Equals(object? obj) => Equals(obj as PortMap);

    public override int GetHashCode()
    {
        var hash = default(HashCode);
        foreach (uint port in _ports) hash.Add(port);
        return hash.ToHashCode();
    }

    public override string ToString() => string.Join(", ", _ports.Select(static port => $"{port >> 16}:{(ushort)port}"));
}
