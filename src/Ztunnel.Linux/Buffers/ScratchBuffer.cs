using Ztunnel.Linux.Interop;

namespace Ztunnel.Linux.Buffers;

/// <summary>
/// A loop's own large buffer. Pages are touched by the first real read only, and given back once an interval passed without use:
/// an idle loop then keeps 400 KiB less. Touching again costs 2 µs a page (measured on a virtual machine; 100 µs for all of it), once after a pause of seconds,
/// and a small message touches one page.
/// </summary>
internal sealed unsafe class ScratchBuffer : IDisposable
{
    // Twelve full TLS records of 16 KiB, and room for what surrounds each (headers, trailers). Also what one connection moves in a turn: with more, the others wait longer, with less,
    // bulk pays for more system calls (decisions/0012).
    public const int Bytes = (192 + 8) * 1024;

    private readonly NativeBuffer _buffer = new(Libc.Map(Bytes), Bytes, slab: null) { IsRented = true };
    private bool _usedSinceTrim;

    /// <summary>True while pages may be resident.</summary>
    public bool IsTouched { get; private set; }

    public NativeBuffer Use()
    {
        _usedSinceTrim = true;
        IsTouched = true;
        return _buffer;
    }

    public void Trim()
    {
        if (IsTouched && !_usedSinceTrim)
        {
            Libc.Discard(_buffer.Pointer, Bytes);
            IsTouched = false;
        }

        _usedSinceTrim = false;
    }

    public void Dispose() => Libc.Unmap(_buffer.Pointer, Bytes);
}
