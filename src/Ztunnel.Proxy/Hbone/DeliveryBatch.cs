using Ztunnel.Linux.Buffers;

namespace Ztunnel.Proxy.Hbone;

/// <summary>
/// Gathers the DATA payloads of one stream that lie in the receive buffer, so that they leave with one <c>writev</c> and no copy.
/// One for each loop; emptied before the receive buffer is used again.
/// </summary>
internal sealed class DeliveryBatch
{
    // A receive buffer holds at most 17 full records; small frames may be many more and leave in several writes.
    private const int Capacity = 64;

    private readonly PayloadRange[] _ranges = new PayloadRange[Capacity];
    private TunnelStream? _target;
    private NativeBuffer? _buffer;
    private int _count;

    public void Add(TunnelStream target, NativeBuffer buffer, int offset, int length)
    {
        if (_target != target || _count == Capacity)
            Flush();

        _target = target;
        _buffer = buffer;
        if (_count > 0 && _ranges[_count - 1].Offset + _ranges[_count - 1].Length == offset)
            _ranges[_count - 1] = _ranges[_count - 1] with { Length = _ranges[_count - 1].Length + length };
        else
            _ranges[_count++] = new PayloadRange(offset, length);
    }

    public void Flush()
    {
        if (_target is not { } target)
            return;

        // Cleared first: delivering can fail, and the failure can come back here.
        int count = _count;
        _target = null;
        _count = 0;
        target.Deliver(_buffer!, _ranges.AsSpan(0, count));
    }
}

/// <summary>A piece of payload in the receive buffer.</summary>
internal readonly record struct PayloadRange(int Offset, int Length);
