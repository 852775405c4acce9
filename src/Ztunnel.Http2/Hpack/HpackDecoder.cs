namespace Ztunnel.Http2.Hpack;

/// <summary>One field of a header section. The spans are valid until the next field is read.</summary>
internal readonly ref struct HeaderField(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
{
    public readonly ReadOnlySpan<byte> Name = name;
    public readonly ReadOnlySpan<byte> Value = value;
}

/// <summary>
/// Reads the field representations of RFC 7541 section 6 and keeps the peer's dynamic table:
/// <code>
/// 1xxxxxxx  indexed            01xxxxxx  literal, to be indexed
/// 001xxxxx  table size         0000xxxx  literal, not indexed      0001xxxx  literal, never indexed
/// </code>
/// Any error is a connection error COMPRESSION_ERROR: the tables of both ends no longer agree.
/// </summary>
internal sealed class HpackDecoder
{
    private readonly DynamicTable _table = new();
    private bool _sizeUpdateAllowed;

    public DynamicTable Table => _table;

    public void BeginSection() => _sizeUpdateAllowed = true;

    /// <summary>
    /// Takes one field off <paramref name="section"/>. False at its end and on an error, which <paramref name="error"/> names.
    /// <paramref name="scratch"/> holds decoded texts: <see cref="ScratchBytes"/> of the section.
    /// </summary>
    public bool TryRead(scoped ref ReadOnlySpan<byte> section, Span<byte> scratch, out HeaderField field, out string? error)
    {
        field = default;
        error = null;
        while (!section.IsEmpty)
        {
            byte first = section[0];
            if ((first & 0xe0) == 0x20)
            {
                if (!ReadSizeUpdate(ref section, out error))
                    return false;
                continue;
            }
            _sizeUpdateAllowed = false;
            return (first & 0x80) != 0 ? ReadIndexed(ref section, out field, out error)
                : (first & 0x40) != 0 ? ReadLiteral(ref section, prefixBits: 6, insert: true, scratch, out field, out error)
                : ReadLiteral(ref section, prefixBits: 4, insert: false, scratch, out field, out error);
        }
        return false;
    }

    /// <summary>Room for a name and a value decoded from a section of this size, and for one name copied out of the table.</summary>
    public int ScratchBytes(int sectionBytes) => HuffmanCode.MaxDecodedBytes(sectionBytes) + _table.MaxSize;

    private bool ReadSizeUpdate(scoped ref ReadOnlySpan<byte> section, out string? error)
    {
        error = null;
        if (!_sizeUpdateAllowed)
            error = "table size update behind a field";
        else if (!HpackInteger.TryRead(ref section, 5, out int size))
            error = "table size is cut off or too large";
        else if (size > Frames.FrameLimits.DefaultHeaderTable)    // RFC 7541 6.3: we never announce another limit
            error = "table size above the limit";
        else
            _table.Resize(size);
        return error is null;
    }

    private bool ReadIndexed(scoped ref ReadOnlySpan<byte> section, out HeaderField field, out string? error)
    {
        field = default;
        if (!HpackInteger.TryRead(ref section, 7, out int index) || !TryGet(index, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
        {
            error = "index out of range";
            return false;
        }
        field = new HeaderField(name, value);
        error = null;
        return true;
    }

    private bool ReadLiteral(scoped ref ReadOnlySpan<byte> section, int prefixBits, bool insert, Span<byte> scratch, out HeaderField field, out string? error)
    {
        field = default;
        if (!HpackInteger.TryRead(ref section, prefixBits, out int index))
        {
            error = "name index is cut off or too large";
            return false;
        }
        ReadOnlySpan<byte> name;
        if (index == 0)
        {
            if (!TryReadText(ref section, ref scratch, out name, out error))
                return false;
        }
        else if (!TryGet(index, out name, out _))
        {
            error = "name index out of range";
            return false;
        }
        if (!TryReadText(ref section, ref scratch, out ReadOnlySpan<byte> value, out error))
            return false;
        if (insert)
        {
            if (index > StaticTable.Count)
            {
                // The entry that lends its name may be evicted or moved by the insertion (RFC 7541 4.4).
                name.CopyTo(scratch);
                name = scratch[..name.Length];
            }
            _table.Insert(name, value);
        }
        field = new HeaderField(name, value);
        return true;
    }

    private bool TryGet(int index, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        name = value = default;
        if (index is 0 || index > StaticTable.Count + _table.Count)
            return false;
        if (index > StaticTable.Count)
        {
            _table.Get(index - StaticTable.Count - 1, out name, out value);
            return true;
        }
        name = StaticTable.Name(index);
        value = StaticTable.Value(index);
        return true;
    }

    private static bool TryReadText(scoped ref ReadOnlySpan<byte> section, scoped ref Span<byte> scratch, out ReadOnlySpan<byte> text, out string? error)
    {
        text = default;
        bool huffman = !section.IsEmpty && (section[0] & 0x80) != 0;
        if (!HpackInteger.TryRead(ref section, 7, out int length) || length > section.Length)
        {
            error = "text is cut off";
            return false;
        }
        ReadOnlySpan<byte> encoded = section[..length];
        section = section[length..];
        error = null;
        if (!huffman)
        {
            text = encoded;
            return true;
        }
        if (!HuffmanCode.TryDecode(encoded, scratch, out int decoded))
        {
            error = "bad Huffman code";
            return false;
        }
        text = scratch[..decoded];
        scratch = scratch[decoded..];
        return true;
    }
}
