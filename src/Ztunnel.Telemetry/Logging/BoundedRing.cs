using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Ztunnel.Telemetry.Logging;

/// <summary>
/// A bounded queue for any number of threads at both ends, without locks: each slot carries the ticket of whoever may touch it next (D. Vyukov's scheme). A full queue refuses, nobody waits.
/// </summary>
internal sealed class BoundedRing<T>
    where T : class
{
    private readonly Slot[] _slots;
    private readonly int _mask;

    // Written by different threads: a cache line each.
    private PaddedLong _tail;
    private PaddedLong _head;

    public BoundedRing(int capacity)
    {
        if (!System.Numerics.BitOperations.IsPow2(capacity))
            throw new ArgumentException($"{capacity} is not a power of two", nameof(capacity));
        _slots = new Slot[capacity];
        _mask = capacity - 1;
        for (int i = 0; i < capacity; i++)
            _slots[i].Ticket = i;
    }

    public bool TryEnqueue(T item)
    {
        while (true)
        {
            long position = Volatile.Read(ref _tail.Value);
            ref Slot slot = ref _slots[position & _mask];
            long ahead = Volatile.Read(ref slot.Ticket) - position;
            if (ahead < 0)
                return false;
            if (ahead == 0 && Interlocked.CompareExchange(ref _tail.Value, position + 1, position) == position)
            {
                slot.Item = item;
                Volatile.Write(ref slot.Ticket, position + 1);
                return true;
            }
        }
    }

    public bool TryDequeue([NotNullWhen(true)] out T? item)
    {
        while (true)
        {
            long position = Volatile.Read(ref _head.Value);
            ref Slot slot = ref _slots[position & _mask];
            long ahead = Volatile.Read(ref slot.Ticket) - (position + 1);
            if (ahead < 0)
            {
                item = null;
                return false;
            }

            if (ahead == 0 && Interlocked.CompareExchange(ref _head.Value, position + 1, position) == position)
            {
                item = slot.Item!;
                slot.Item = null;
                Volatile.Write(ref slot.Ticket, position + _slots.Length);
                return true;
            }
        }
    }

    private struct Slot
    {
        public long Ticket;
        public T? Item;
    }
}

/// <summary>A number alone on its cache lines.</summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
internal struct PaddedLong
{
    [FieldOffset(64)]
    public long Value;
}
