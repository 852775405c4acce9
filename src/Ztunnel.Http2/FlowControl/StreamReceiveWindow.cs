using System.Diagnostics;

namespace Ztunnel.Http2.FlowControl;

/// <summary>
/// How much the peer may send on one stream. Of <see cref="Size"/> bytes some are free for the peer, some have arrived and wait for the application, and some have reached it but
/// were not announced yet. Grows while the window, and nothing else, holds the peer back.
/// </summary>
/// <remarks>
/// A peer that is held back stops exactly at the limit it knew: the limit now, or the one before the last WINDOW_UPDATE if that is still under way. When a frame ends there, and
/// the application has taken (nearly) all that arrived, the window is what limits the transfer. No clock and no PING is needed to see that. A peer whose frames divide the
/// window may hit the spot by chance; its window then grows although it need not, up to the same maximum.
/// </remarks>
internal struct StreamReceiveWindow(int size)
{
    private int _available = size;
    private int _pending;
    private int _lastIncrement;
    private bool _heldBack;

    public int Size { get; private set; } = size;

    /// <summary>Bytes that arrived and that the application has not got yet.</summary>
    public readonly int Unconsumed => Size - _available - _pending;

    public bool TryTake(int bytes)
    {
        if (bytes > _available)
            return false;
        _available -= bytes;
        if (_available == 0 || _available == _lastIncrement)
            _heldBack = true;
        return true;
    }

    /// <summary>What the next WINDOW_UPDATE would add to <see cref="Size"/>, or 0.</summary>
    public readonly int WantedGrowth(int maxSize) =>
        _heldBack && Unconsumed <= Size / 4 && IsUpdateDue ? Math.Min(Size, Math.Max(0, maxSize - Size)) : 0;

    public void Consume(int bytes)
    {
        Debug.Assert(bytes <= Unconsumed, $"{bytes} bytes consumed of {Unconsumed} that arrived");
        _pending += bytes;
    }

    /// <summary>Half of the window; or less when the peer is nearly out of it, but not so little that updates become many.</summary>
    public readonly bool IsUpdateDue => _pending >= Size / 2 || (_pending >= _available && _pending >= Math.Max(1, Size / 8));

    /// <summary>The increment to announce now.</summary>
    public int TakeUpdate(int growth)
    {
        int increment = _pending + growth;
        Size += growth;
        _available += increment;
        _pending = 0;
        _lastIncrement = increment;
        _heldBack = false;
        return increment;
    }
}
