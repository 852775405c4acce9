using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Interop;

namespace Ztunnel.Linux.Sockets;

/// <summary>Up to 64 pieces of native buffers that one system call fills or sends in order. Lives on the stack; the buffers stay rented meanwhile.</summary>
public unsafe ref struct IoVectors
{
    public const int Capacity = 64;

    private Entries _entries;
    private int _first;
    private int _end;

    /// <summary>Pieces that are left.</summary>
    public readonly int Count => _end - _first;

    /// <summary>Bytes that are left.</summary>
    public int TotalBytes { readonly get; private set; }

    public readonly bool IsFull => _end == Capacity;

    public void Add(NativeBuffer buffer, int offset, int length)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, buffer.Length - offset);
        Debug.Assert(buffer.IsRented, "buffer used after it was returned");
        if (IsFull)
        {
            throw new InvalidOperationException($"more than {Capacity} pieces");
        }

        ref IoVector entry = ref _entries[_end++];
        entry.Base = (nint)(buffer.Pointer + offset);
        entry.Length = (nuint)length;
        TotalBytes += length;
    }

    /// <summary>Drops what a call has moved, so that the rest can be tried again.</summary>
    public void Consume(int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, TotalBytes);
        TotalBytes -= bytes;
        while (bytes > 0)
        {
            ref IoVector entry = ref _entries[_first];
            if ((nuint)bytes < entry.Length)
            {
                entry.Base += bytes;
                entry.Length -= (nuint)bytes;
                return;
            }

            bytes -= (int)entry.Length;
            _first++;
        }
    }

    [UnscopedRef]
    internal ref IoVector GetPinnableReference() => ref Unsafe.Add(ref Unsafe.As<Entries, IoVector>(ref _entries), _first);

    [InlineArray(Capacity)]
    private struct Entries
    {
        private IoVector _entry;
    }
}
