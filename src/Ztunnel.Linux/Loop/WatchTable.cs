namespace Ztunnel.Linux.Loop;

/// <summary>
/// Finds the watch an event belongs to. The event carries slot and generation; the generation changes when a slot is freed,
/// so an event fetched before its watch went away finds nobody, even if the slot (or the descriptor's number) is in use again.
/// </summary>
internal sealed class WatchTable
{
    public const int NoSlot = -1;

#if DEBUG
    private const int FirstCapacity = 2; // so that growing happens in tests
#else
    private const int FirstCapacity = 256;
#endif

    private Entry[] _entries = new Entry[FirstCapacity];
    private int _used;
    private int _firstFree = NoSlot;

    public int Count { get; private set; }

    public ulong Add(LoopWatch watch)
    {
        int slot = TakeSlot();
        _entries[slot].Watch = watch;
        watch.Slot = slot;
        Count++;
        return ((ulong)_entries[slot].Generation << 32) | (uint)slot;
    }

    public void Remove(LoopWatch watch)
    {
        ref Entry entry = ref _entries[watch.Slot];
        entry.Watch = null;
        entry.Generation++;
        entry.NextFree = _firstFree;
        _firstFree = watch.Slot;
        watch.Slot = NoSlot;
        Count--;
    }

    public LoopWatch? Find(ulong data)
    {
        ref Entry entry = ref _entries[(int)(uint)data];
        return entry.Generation == (uint)(data >> 32) ? entry.Watch : null;
    }

    /// <summary>Any watch that is left, or null.</summary>
    public LoopWatch? FindAny()
    {
        for (int slot = 0; slot < _used; slot++)
        {
            if (_entries[slot].Watch is { } watch)
            {
                return watch;
            }
        }

        return null;
    }

    private int TakeSlot()
    {
        if (_firstFree != NoSlot)
        {
            int slot = _firstFree;
            _firstFree = _entries[slot].NextFree;
            return slot;
        }

        if (_used == _entries.Length)
        {
            Array.Resize(ref _entries, _entries.Length * 2);
        }

        return _used++;
    }

    private struct Entry
    {
        public LoopWatch? Watch;
        public uint Generation;
        public int NextFree;
    }
}
