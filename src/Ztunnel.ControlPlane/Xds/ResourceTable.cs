using System.Globalization;
using System.Text;
using Ztunnel.Protos.Discovery;

namespace Ztunnel.ControlPlane.Xds;

/// <summary>The resources of one type that we hold, by name, with the version that was accepted last. It outlives streams: a new stream tells the server what is here, and gets the difference.</summary>
/// <remarks>istiod's versions are hashes of 16 hexadecimal digits. As numbers they take a seventh of what the texts would, which counts with one for each workload of the mesh.</remarks>
internal sealed class ResourceTable
{
    // Tags and lengths of a map entry with a name below 128 bytes.
    private const int EntryOverheadBytes = 8;
    private const int HashDigits = 16;

    private readonly Dictionary<string, ulong> _hashes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _texts = new(StringComparer.Ordinal);   // what is no such hash: policies have empty ones

    public int Count => _hashes.Count + _texts.Count;

    public IEnumerable<string> Names => _hashes.Keys.Concat(_texts.Keys);

    /// <summary>The server sent what we have. Only a version that says something can tell: policies have none.</summary>
    public bool IsHeld(string name, string version) => version.Length > 0
        && (TryReadHash(version, out ulong hash) ? _hashes.TryGetValue(name, out ulong held) && held == hash : _texts.TryGetValue(name, out string? text) && text == version);

    public bool Contains(string name) => _hashes.ContainsKey(name) || _texts.ContainsKey(name);

    /// <summary>Makes room at once for a first response, whose size is that of the mesh; growing step by step would end with up to twice the room.</summary>
    public void Expect(int resources)
    {
        if (Count == 0)
            _hashes.EnsureCapacity(resources);
    }

    public void Set(string name, string version)
    {
        if (TryReadHash(version, out ulong hash))
        {
            _hashes[name] = hash;
            _texts.Remove(name);
        }
        else
        {
            _texts[name] = version;
            _hashes.Remove(name);
        }
    }

    public void Remove(string name)
    {
        if (!_hashes.Remove(name))
            _texts.Remove(name);
    }

    /// <summary>What the names and versions would add to a request.</summary>
    public int EncodedBytes()
    {
        int bytes = 0;
        foreach (string name in _hashes.Keys)
            bytes += Encoding.UTF8.GetByteCount(name) + HashDigits + EntryOverheadBytes;
        foreach ((string name, string version) in _texts)
            bytes += Encoding.UTF8.GetByteCount(name) + version.Length + EntryOverheadBytes;
        return bytes;
    }

    public void WriteTo(DeltaDiscoveryRequest request)
    {
        foreach ((string name, ulong hash) in _hashes)
            request.InitialResourceVersions[name] = hash.ToString("x16", CultureInfo.InvariantCulture);
        foreach ((string name, string version) in _texts)
            request.InitialResourceVersions[name] = version;
    }

    // Lower case only, so that what is told later is what was sent.
    private static bool TryReadHash(string version, out ulong hash)
    {
        hash = 0;
        return version.Length == HashDigits && !version.AsSpan().ContainsAnyExcept("0123456789abcdef") && ulong.TryParse(version, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out hash);
    }
}
