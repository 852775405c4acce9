using System.Buffers;

namespace Ztunnel.Http2.Connection;

/// <summary>
/// Open streams by identifier: open addressing over a power of two. Identifiers of one side go up in steps of two, so id/2 spreads the streams that live at the same time
/// without collisions; whoever picks worse ones walks at most MAX_CONCURRENT_STREAMS slots.
/// </summary>
internal sealed class StreamTable
{
    private const int FirstSlots = 4;

    private Http2Stream?[] _slots = [];

    // Frames of one stream come in runs.
    private Http2Stream? _last;

    public int Count { get; private set; }

    public Http2Stream? Find(int streamId)
    {
        if (_last is { } last && last.Id == streamId)
            return last;
        if (Count == 0)
            return null;
        int mask = _slots.Length - 1;
        for (int slot = (streamId >> 1) & mask; _slots[slot] is { } stream; slot = (slot + 1) & mask)
        {
            if (stream.Id == streamId)
                return _last = stream;
        }
        return null;
    }

    public void Add(Http2Stream stream)
    {
        // At most three quarters full: the walk above always meets an empty slot.
        if ((Count + 1) * 4 > _slots.Length * 3)
            Resize(Math.Max(FirstSlots, _slots.Length * 2));
        Place(stream);
        Count++;
    }

    /// <summary>False when it is not there.</summary>
    public bool Remove(Http2Stream stream)
    {
        if (Count == 0)
            return false;
        if (_last == stream)
            _last = null;
        int mask = _slots.Length - 1;
        int hole = (stream.Id >> 1) & mask;
        while (_slots[hole] != stream)
        {
            if (_slots[hole] is null)
                return false;
            hole = (hole + 1) & mask;
        }

        // Streams behind the hole that were pushed past it move up, so that every walk from a home slot stays unbroken.
        for (int slot = (hole + 1) & mask; _slots[slot] is { } next; slot = (slot + 1) & mask)
        {
            int home = (next.Id >> 1) & mask;
            if (((slot - home) & mask) < ((slot - hole) & mask))
                continue;
            _slots[hole] = next;
            hole = slot;
        }
        _slots[hole] = null;
        Count--;
        if (_slots.Length > FirstSlots && Count * 8 <= _slots.Length)
            Resize(_slots.Length / 2);
        return true;
    }

    /// <summary>The open streams in a rented array, for callers whose steps may open or close streams. Give it back with <see cref="ReturnSnapshot"/>.</summary>
    public Http2Stream[] RentSnapshot(out int count)
    {
        Http2Stream[] snapshot = ArrayPool<Http2Stream>.Shared.Rent(Count);
        count = 0;
        foreach (Http2Stream? stream in _slots)
        {
            if (stream is not null)
                snapshot[count++] = stream;
        }
        return snapshot;
    }

    public static void ReturnSnapshot(Http2Stream[] snapshot) => ArrayPool<Http2Stream>.Shared.Return(snapshot, clearArray: true);

    private void Place(Http2Stream stream)
    {
        int mask = _slots.Length - 1;
        int slot = (stream.Id >> 1) & mask;
        while (_slots[slot] is not null)
            slot = (slot + 1) & mask;
        _slots[slot] = stream;
    }

    private void Resize(int slots)
    {
        Http2Stream?[] old = _slots;
        _slots = new Http2Stream?[slots];
        foreach (Http2Stream? stream in old)
        {
            if (stream is not null)
                Place(stream);
        }
    }
}
