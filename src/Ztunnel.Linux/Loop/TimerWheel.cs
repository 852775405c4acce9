using System.Diagnostics;
using System.Numerics;

namespace Ztunnel.Linux.Loop;

/// <summary>
/// Timers in six wheels of 64 slots, one millisecond to 17 minutes … 397 days wide: adding and removing touch one list, and the next due time is a bit scan.
/// A timer hangs in the wheel of the highest six bits in which its due time differs from now, and moves to a finer wheel when its slot comes up.
/// Timers due in the same millisecond fire in no particular order.
/// </summary>
internal sealed class TimerWheel
{
    private const int SlotBits = 6;
    private const int SlotsPerLevel = 1 << SlotBits;
    private const int Levels = 6;
    private const int ExpiredSlot = Levels * SlotsPerLevel;

    // Half of the widest wheel: a due time never shares a slot with a moment one whole turn away.
    private const long MaximumDelay = 1L << ((SlotBits * Levels) - 1);

    private readonly TimerNode?[] _heads = new TimerNode?[ExpiredSlot + 1];
    private readonly ulong[] _occupied = new ulong[Levels];
    private readonly Action<TimerNode> _expired;
    private long _now;
    private int _count;

    public TimerWheel(long nowMilliseconds, Action<TimerNode> expired)
    {
        _now = nowMilliseconds;
        _expired = expired;
    }

    /// <summary>Timers that hang in the wheel. Written by the loop's thread, read by whoever wants to know.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>A due time that has passed already counts as the next millisecond, one too far away as the furthest possible.</summary>
    public void Add(TimerNode node, long dueMilliseconds)
    {
        Debug.Assert(node.Slot == TimerNode.NotLinked, "a timer hangs in one slot at a time");
        node.DueMilliseconds = Math.Clamp(dueMilliseconds, _now + 1, _now + MaximumDelay);
        Link(node);
        Volatile.Write(ref _count, _count + 1);
    }

    public void Remove(TimerNode node)
    {
        if (node.Previous is { } previous)
        {
            previous.Next = node.Next;
        }
        else
        {
            _heads[node.Slot] = node.Next;
            if (node.Next is null && node.Slot != ExpiredSlot)
            {
                _occupied[node.Slot / SlotsPerLevel] &= ~(1UL << (node.Slot % SlotsPerLevel));
            }
        }

        if (node.Next is { } next)
        {
            next.Previous = node.Previous;
        }

        node.Previous = null;
        node.Next = null;
        node.Slot = TimerNode.NotLinked;
        Volatile.Write(ref _count, _count - 1);
    }

    /// <summary>When the wheel must be advanced next: never later than the earliest timer, earlier when a slot has to be refined first. Null without timers.</summary>
    public long? NextMilliseconds() => TryFindNext(out _, out long due) ? due : null;

    /// <summary>Fires everything due until then, in order of due times. The callback may add and remove any timer.</summary>
    public void Advance(long nowMilliseconds)
    {
        while (TryFindNext(out int slot, out long due) && due <= nowMilliseconds)
        {
            _now = due;
            Unpack(slot);
            FireExpired();
        }

        _now = Math.Max(_now, nowMilliseconds);
    }

    private bool TryFindNext(out int slot, out long dueMilliseconds)
    {
        // A finer wheel's timers all come before those of a coarser one: the coarser differ from now in a higher bit.
        for (int level = 0; level < Levels; level++)
        {
            if (_occupied[level] == 0)
            {
                continue;
            }

            int shift = level * SlotBits;
            int current = (int)(_now >> shift) & (SlotsPerLevel - 1);
            int ahead = BitOperations.TrailingZeroCount(BitOperations.RotateRight(_occupied[level], current));
            int index = (current + ahead) & (SlotsPerLevel - 1);
            slot = (level * SlotsPerLevel) + index;
            dueMilliseconds = ((_now >> shift) + ahead) << shift;
            return true;
        }

        slot = -1;
        dueMilliseconds = 0;
        return false;
    }

    private void Unpack(int slot)
    {
        TimerNode? node = _heads[slot];
        _heads[slot] = null;
        _occupied[slot / SlotsPerLevel] &= ~(1UL << (slot % SlotsPerLevel));
        while (node is not null)
        {
            TimerNode? next = node.Next;
            Link(node);
            node = next;
        }
    }

    private void Link(TimerNode node)
    {
        int slot = ExpiredSlot;
        if (node.DueMilliseconds > _now)
        {
            int level = Math.Min(BitOperations.Log2((ulong)(node.DueMilliseconds ^ _now)) / SlotBits, Levels - 1);
            int index = (int)(node.DueMilliseconds >> (level * SlotBits)) & (SlotsPerLevel - 1);
            slot = (level * SlotsPerLevel) + index;
            _occupied[level] |= 1UL << index;
        }

        node.Slot = slot;
        node.Previous = null;
        node.Next = _heads[slot];
        if (node.Next is { } next)
        {
            next.Previous = node;
        }

        _heads[slot] = node;
    }

    private void FireExpired()
    {
        // One at a time from the list's head: a callback may remove the others.
        while (_heads[ExpiredSlot] is { } node)
        {
            Remove(node);
            _expired(node);
        }
    }
}
