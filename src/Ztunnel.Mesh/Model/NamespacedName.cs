using System.Diagnostics.CodeAnalysis;

namespace Ztunnel.Mesh.Model;

/// <summary>A hostname in a namespace: the key of a service, written <c>namespace/hostname</c>.</summary>
public sealed class NamespacedName : IEquatable<NamespacedName>
{
    private readonly int _hash;   // these key every service look-up

    public NamespacedName(string @namespace, string name)
    {
        Namespace = @namespace;
        Name = name;
        _hash = HashCode.Combine(@namespace, name);
    }

    public string Namespace { get; }

    public string Name { get; }

    /// <summary>Splits at the first slash; the name may hold further ones.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out NamespacedName? name)
    {
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        name = slash < 0 ? null : new NamespacedName(text[..slash], text[(slash + 1)..]);
        return name is not null;
    }

    public bool Equals(NamespacedName? other) =>
        ReferenceEquals(this, other) || (other is not null && _hash == other._hash && Name == other.Name && Namespace == other.Namespace);

    public override bool Equals(object? obj) => Equals(obj as NamespacedName);

    public override int GetHashCode() => _hash;

    public override string ToString() => $"{Namespace}/{Name}";

    public static bool operator ==(NamespacedName? left, NamespacedName? right) => left is null ? right is null : left.Equals(right);

    public static bool operator !=(NamespacedName? left, NamespacedName? right) => !(left == right);
}
