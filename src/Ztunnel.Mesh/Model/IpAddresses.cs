using System.Net;

namespace Ztunnel.Mesh.Model;

/// <summary>The addresses of a workload, canonical, in the order received. Nearly always one, so one is kept without an array around it.</summary>
public readonly struct IpAddresses : IEquatable<IpAddresses>
{
    private readonly object? _value;   // null, IPAddress or IPAddress[] of two and more

    private IpAddresses(object? value) => _value = value;

    public static IpAddresses Create(params ReadOnlySpan<IPAddress> addresses)
    {
        if (addresses.IsEmpty) return default;
        if (addresses.Length == 1) return new IpAddresses(Canonical.Address(addresses[0]));

        var all = new IPAddress[addresses.Length];
        for (int i = 0; i < all.Length; i++) all[i] = Canonical.Address(addresses[i]);
        return new IpAddresses(all);
    }

    public int Count => _value switch { null => 0, IPAddress[] many => many.Length, _ => 1 };

    public IPAddress this[int index] => _value switch
    {
        IPAddress[] many => many[index],
        IPAddress one when index == 0 => one,
        _ => throw new ArgumentOutOfRangeException(nameof(index)),
    };

    public bool Contains(IPAddress address)
    {
        for (int i = 0; i < Count; i++)
        {
            if (this[i].Equals(address)) return true;
        }
        return false;
    }

    public IPAddress[] ToArray()
    {
        var all = new IPAddress[Count];
        for (int i = 0; i < all.Length; i++) all[i] = this[i];
        return all;
    }

    public bool Equals(IpAddresses other)
    {
        if (Count != other.Count) return false;
        for (int i = 0; i < Count; i++)
        {
            if (!this[i].Equals(other[i])) return false;
        }
        return true;
    }

    public override bool Equals(object? obj) => obj is IpAddresses other && Equals(other);

    public override int GetHashCode()
    {
        var hash = default(HashCode);
        for (int i = 0; i < Count; i++) hash.Add(this[i]);
        return hash.ToHashCode();
    }

    public override string ToString() => string.Join<IPAddress>(", ", ToArray());

    public static bool operator ==(IpAddresses left, IpAddresses right) => left.Equals(right);

    public static bool operator !=(IpAddresses left, IpAddresses right) => !left.Equals(right);
}
