namespace Ztunnel.Http2.Connection;

/// <summary>
/// Streams that we reset lately. What the peer sent on them before it learnt of the reset is ignored (RFC 9113 5.1); on any other closed stream it is an error.
/// A ring that grows to its limit only where resets happen.
/// </summary>
internal struct ResetMemory(int limit)
{
    private int[]? _ids;
    private int _count;
    private int _next;

    public void Add(int streamId)
    {
        _ids ??= new int[Math.Min(16, limit)];
        if (_count == _ids.Length && _count < limit)
        {
            Array.Resize(ref _ids, Math.Min(limit, _count * 2));
            _next = _count;
        }
        _ids[_next] = streamId;
        _next = (_next + 1) % _ids.Length;
        _count = Math.Min(_count + 1, _ids.Length);
    }

    /// <summary>The peer has reset the stream, too: nothing of it can be under way any more. False when it is not known.</summary>
    public readonly bool Remove(int streamId)
    {
        int at = _ids is null ? -1 : _ids.AsSpan(0, _count).IndexOf(streamId);
        if (at >= 0)
            _ids![at] = 0;
        return at >= 0;
    }

    public readonly bool Contains(int streamId) => _ids is not null && _ids.AsSpan(0, _count).Contains(streamId);
}
