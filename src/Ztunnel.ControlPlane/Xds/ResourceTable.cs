using System.Text;
using Ztunnel.Protos.Discovery;

namespace Ztunnel.ControlPlane.Xds;

/// <summary>The resources of one type that we hold, by name, with the version that was accepted last. It outlives streams: a new stream tells the server what is here, and gets the difference.</summary>
internal sealed class ResourceTable
{
    // Tags and lengths of a map entry with a name below 128 bytes.
    private const int EntryOverheadBytes = 8;

    private readonly Dictionary<string, string> _versions = new(StringComparer.Ordinal);

    public int Count => _versions.Count;

    public IReadOnlyCollection<string> Names => _versions.Keys;

    /// <summary>The server sent what we have. Only a version that says something can tell: policies have none.</summary>
    public bool IsHeld(string name, string version) => version.Length > 0 && _versions.TryGetValue(name, out string? held) && held == version;

    public bool Contains(string name) => _versions.ContainsKey(name);

    public void Set(string name, string version) => _versions[name] = version;

    public void Remove(string name) => _versions.Remove(name);

    /// <summary>What the names and versions would add to a request.</summary>
    public int EncodedBytes()
    {
        int bytes = 0;
        foreach ((string name, string version) in _versions) bytes += Encoding.UTF8.GetByteCount(name) + version.Length + EntryOverheadBytes;
        return bytes;
    }

    public void WriteTo(DeltaDiscoveryRequest request)
    {
        foreach ((string name, string version) in _versions) request.InitialResourceVersions[name] = version;
    }
}
