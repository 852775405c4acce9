namespace Ztunnel.Linux.Buffers;

/// <summary>
/// The buffers of one size: a stack of warm ones, which serves renting and returning, above the slabs with their cold ones.
/// The stack's bottom holds what was used longest ago; the lowest level of the stack between two trims is what nobody needed in all that time.
/// </summary>
internal sealed class BufferSizeClass(int bufferBytes)
{
    // Enough buffers in one mapping that small sizes do not cost a system call each, and never more address space than the largest buffer takes.
    private const int MinimumSlabBytes = 64 * 1024;
    private const int MaximumSlabBytes = 512 * 1024;
    private const int BuffersPerSlab = 16;

    private readonly List<BufferSlab> _slabs = [];
    private NativeBuffer?[] _warm = new NativeBuffer?[4];
    private int _warmCount;
    private int _lowestWarm;

    public int BufferBytes { get; } = bufferBytes;

    public long MappedBytes { get; private set; }

    public NativeBuffer Take()
    {
        if (_warmCount > 0)
        {
            NativeBuffer buffer = _warm[--_warmCount]!;
            _warm[_warmCount] = null;
            _lowestWarm = Math.Min(_lowestWarm, _warmCount);
            return buffer;
        }

        return TakeFromSlabs();
    }

    public void Put(NativeBuffer buffer)
    {
        if (_warmCount == _warm.Length)
        {
            Array.Resize(ref _warm, _warm.Length * 2);
        }

        _warm[_warmCount++] = buffer;
    }

    /// <summary>Cools what was not needed since the last call and unmaps slabs that are cold altogether. True if warm buffers remain, so that another call later may release more.</summary>
    public bool Trim()
    {
        int cooled = _lowestWarm;
        for (int index = 0; index < cooled; index++)
        {
            _warm[index]!.Slab!.AddCold(_warm[index]!);
        }

        Array.Copy(_warm, cooled, _warm, 0, _warmCount - cooled);
        Array.Clear(_warm, _warmCount - cooled, cooled);
        _warmCount -= cooled;
        _lowestWarm = _warmCount;
        ReleaseColdSlabs();
        return _warmCount > 0;
    }

    public void ReleaseAll()
    {
        foreach (BufferSlab slab in _slabs)
        {
            slab.Release();
        }

        _slabs.Clear();
        Array.Clear(_warm);
        _warmCount = 0;
        _lowestWarm = 0;
        MappedBytes = 0;
    }

    private NativeBuffer TakeFromSlabs()
    {
        for (int index = _slabs.Count - 1; index >= 0; index--)
        {
            if (_slabs[index].HasCold)
            {
                return _slabs[index].TakeCold();
            }
        }

        var slab = new BufferSlab(this, BufferBytes, Math.Clamp(BufferBytes * BuffersPerSlab, MinimumSlabBytes, MaximumSlabBytes));
        _slabs.Add(slab);
        MappedBytes += slab.MappedBytes;
        return slab.TakeCold();
    }

    private void ReleaseColdSlabs()
    {
        for (int index = _slabs.Count - 1; index >= 0; index--)
        {
            if (_slabs[index].IsWhollyCold)
            {
                MappedBytes -= _slabs[index].MappedBytes;
                _slabs[index].Release();
                _slabs.RemoveAt(index);
            }
        }
    }
}
