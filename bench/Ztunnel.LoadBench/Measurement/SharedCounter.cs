using System.IO.MemoryMappedFiles;

namespace Ztunnel.LoadBench.Measurement;

/// <summary>
/// A number that the server process counts up and the client process reads at the edges of its window: uploads are measured by what arrived.
/// A mapped file reaches from one network namespace to the other without sending a packet.
/// </summary>
internal sealed class SharedCounter : IDisposable
{
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;

    public SharedCounter(string path)
    {
        _file = MemoryMappedFile.CreateFromFile(path, FileMode.OpenOrCreate, mapName: null, capacity: sizeof(long));
        _view = _file.CreateViewAccessor(0, sizeof(long));
    }

    /// <summary>Written by one thread of one process; 64-bit stores do not tear.</summary>
    public long Value
    {
        get => _view.ReadInt64(0);
        set => _view.Write(0, value);
    }

    public void Dispose()
    {
        _view.Dispose();
        _file.Dispose();
    }
}
