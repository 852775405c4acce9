using System.Globalization;

namespace Ztunnel.ControlPlane.LocalFile.Yaml;

/// <summary>The way from the root of the file to a field, such as <c>workloads[3].services["shop/cart"].80</c>. Text only when a problem asks for it.</summary>
internal sealed class FieldPath
{
    public static readonly FieldPath Root = new(null, null, -1);

    private readonly FieldPath? _parent;
    private readonly string? _key;
    private readonly int _index;

    private FieldPath(FieldPath? parent, string? key, int index)
    {
        _parent = parent;
        _key = key;
        _index = index;
    }

    public FieldPath Key(string key) => new(this, key, -1);

    public FieldPath Index(int index) => new(this, null, index);

    public override string ToString()
    {
        if (_parent is null) return "";
        string parent = _parent.ToString();
        if (_key is null) return string.Create(CultureInfo.InvariantCulture, $"{parent}[{_index}]");
        if (!IsPlain(_key)) return $"{parent}[\"{_key}\"]";
        return parent.Length == 0 ? _key : $"{parent}.{_key}";
    }

    private static bool IsPlain(string key)
    {
        foreach (char c in key)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_')) return false;
        }
        return true;
    }
}
