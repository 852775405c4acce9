using System.Diagnostics;

namespace Ztunnel.Linux.Buffers;

/// <summary>
/// A piece of native memory with one owner. It belongs to a pool (or is a loop's scratch) and has no finalizer: whoever rents it returns it.
/// The object lives as long as its piece of memory, so renting and returning allocate nothing.
/// </summary>
public sealed unsafe class NativeBuffer
{
    internal NativeBuffer(byte* pointer, int length, BufferSlab? slab)
    {
        Pointer = pointer;
        Length = length;
        Slab = slab;
    }

    /// <summary>The size of the pool's class, at least what was asked for.</summary>
    public int Length { get; }

    public Span<byte> Span
    {
        get
        {
            Debug.Assert(IsRented, "buffer used after it was returned");
            return new Span<byte>(Pointer, Length);
        }
    }

    internal byte* Pointer { get; }

    internal BufferSlab? Slab { get; }

    internal bool IsRented { get; set; }

    public Span<byte> Slice(int offset, int length) => Span.Slice(offset, length);
}
