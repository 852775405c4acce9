using System.Diagnostics.CodeAnalysis;

namespace Ztunnel.Mesh.Collections;

/// <summary>Gives equal values one shared instance. Used by the one writer of the mesh.</summary>
/// <remarks>
/// Two generations bound it without weak references and without walking the records: when the young one is full it becomes the old one, and the former old
/// one is forgotten. A value that is still met moves to the young generation; one that is not met for a whole generation is dropped, which costs sharing with
/// values to come, never correctness.
/// </remarks>
internal sealed class Interner<T>(int capacity, IEqualityComparer<T>? comparer = null) where T : class
{
    private HashSet<T> _young = new(comparer);
    private HashSet<T> _old = new(comparer);

    /// <summary>How many values the young generation may hold before it ages. Raised by the store as the mesh grows.</summary>
    public int Capacity { get; set; } = capacity;

    public bool TryGet(T value, [NotNullWhen(true)] out T? shared)
    {
        if (_young.TryGetValue(value, out shared)) return true;
        if (!_old.TryGetValue(value, out shared)) return false;
        Add(shared);
        return true;
    }

    public T Intern(T value)
    {
        if (TryGet(value, out T? shared)) return shared;
        Add(value);
        return value;
    }

    public void Add(T value)
    {
        if (_young.Count >= Capacity) (_young, _old) = (new HashSet<T>(_young.Comparer), _young);
        _young.Add(value);
    }
}
