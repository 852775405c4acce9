namespace Ztunnel.Http2.Hpack;

/// <summary>
/// RFC 7541 2.3.2 and 4: the fields a peer asked us to remember, newest first, evicted from the oldest end. Texts lie one behind the other in one buffer that is
/// allocated with the first insertion: a peer that never inserts, as our own encoder, costs nothing.
/// </summary>
internal sealed class DynamicTable
{
    // RFC 7541 4.1: what an entry counts beyond its texts.
    public const int EntryOverhead = 32;

    private readonly struct Entry(int start, int nameLength, int valueLength)
    {
        public readonly int Start = start;
        public readonly int NameLength = nameLength;
        public readonly int ValueLength = valueLength;

        public int Size => NameLength + ValueLength + EntryOverhead;
    }

    private byte[] _text = [];
    private int _textEnd;
    private Entry[] _entries = [];    // a ring: _oldest is the first, Count of them are alive
    private int _oldest;

    public int Count { get; private set; }

    public int Size { get; private set; }

    public int MaxSize { get; private set; } = Frames.FrameLimits.DefaultHeaderTable;

    /// <summary>Index 0 is the newest entry.</summary>
    public void Get(int index, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        Entry entry = _entries[(_oldest + Count - 1 - index) % _entries.Length];
        name = _text.AsSpan(entry.Start, entry.NameLength);
        value = _text.AsSpan(entry.Start + entry.NameLength, entry.ValueLength);
    }

    public void Resize(int maxSize)
    {
        MaxSize = maxSize;
        EvictUntil(maxSize);
    }

    /// <summary>The texts must not lie in this table: making room moves them.</summary>
    public void Insert(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        int size = name.Length + value.Length + EntryOverhead;
        EvictUntil(Math.Max(0, MaxSize - size));
        if (size > MaxSize)
            return;    // RFC 7541 4.4: an entry larger than the table empties it and is no error

        int start = MakeRoom(name.Length + value.Length);
        name.CopyTo(_text.AsSpan(start));
        value.CopyTo(_text.AsSpan(start + name.Length));
        _textEnd = start + name.Length + value.Length;
        if (Count == _entries.Length)
            GrowEntries();
        _entries[(_oldest + Count) % _entries.Length] = new Entry(start, name.Length, value.Length);
        Count++;
        Size += size;
    }

    private void EvictUntil(int size)
    {
        while (Size > size)
        {
            Size -= _entries[_oldest].Size;
            _oldest = (_oldest + 1) % _entries.Length;
            Count--;
        }
    }

    private int MakeRoom(int bytes)
    {
        if (Count == 0)
            _textEnd = 0;
        if (_text.Length - _textEnd >= bytes)
            return _textEnd;

        // Live texts move to the front; with their overhead they are at most MaxSize, so a buffer of that size always has room.
        int first = Count == 0 ? _textEnd : _entries[_oldest].Start;
        int live = _textEnd - first;
        byte[] target = _text;
        if (_text.Length < MaxSize && live + bytes > _text.Length / 2)
            target = new byte[Math.Min(MaxSize, Math.Max(live + bytes, Math.Max(512, _text.Length * 2)))];
        _text.AsSpan(first, live).CopyTo(target);
        for (int i = 0; i < Count; i++)
        {
            ref Entry entry = ref _entries[(_oldest + i) % _entries.Length];
            entry = new Entry(entry.Start - first, entry.NameLength, entry.ValueLength);
        }
        _text = target;
        return _textEnd = live;
    }

    private void GrowEntries()
    {
        var entries = new Entry[Math.Max(4, _entries.Length * 2)];
        for (int i = 0; i < Count; i++)
            entries[i] = _entries[(_oldest + i) % _entries.Length];
        _entries = entries;
        _oldest = 0;
    }
}
