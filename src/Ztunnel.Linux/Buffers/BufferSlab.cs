using Ztunnel.Linux.Interop;

namespace Ztunnel.Linux.Buffers;

/// <summary>One mapping cut into buffers of one size. It holds those that have not been needed for a while ("cold"); when all are, the mapping goes back to the kernel.</summary>
internal sealed unsafe class BufferSlab
{
    private const int PageBytes = 4096;

    private readonly byte* _pages;
    private readonly int _bufferBytes;
    private readonly NativeBuffer[] _cold;
    private int _coldCount;

    public BufferSlab(BufferSizeClass owner, int bufferBytes, int slabBytes)
    {
        Owner = owner;
        _bufferBytes = bufferBytes;
        _pages = Libc.Map((nuint)slabBytes);
        MappedBytes = slabBytes;
        _cold = new NativeBuffer[slabBytes / bufferBytes];
        for (int index = 0; index < _cold.Length; index++)
        {
            _cold[_cold.Length - 1 - index] = new NativeBuffer(_pages + ((long)index * bufferBytes), bufferBytes, this);
        }

        _coldCount = _cold.Length;
    }

    public BufferSizeClass Owner { get; }

    public int MappedBytes { get; }

    public bool HasCold => _coldCount > 0;

    public bool IsWhollyCold => _coldCount == _cold.Length;

    public NativeBuffer TakeCold() => _cold[--_coldCount];

    /// <summary>The buffer's pages go back at once where it has pages of its own; smaller ones wait until the whole slab is cold.</summary>
    public void AddCold(NativeBuffer buffer)
    {
        if (_bufferBytes >= PageBytes)
        {
            Libc.Discard(buffer.Pointer, (nuint)_bufferBytes);
        }

        _cold[_coldCount++] = buffer;
    }

    public void Release() => Libc.Unmap(_pages, (nuint)MappedBytes);
}
