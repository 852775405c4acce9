using System.Diagnostics;

namespace Ztunnel.Http2.FlowControl;

/// <summary>
/// How much the peer may send on all streams together. Streams whose receivers are stuck may hold most of it, and what is left must go on circulating for the others: an update
/// is due when what has been consumed reaches half of what is *left*, however little that is. Updates are written once per flush, so small ones do not add up.
/// </summary>
internal struct ConnectionReceiveWindow
{
    private int _available;
    private int _pending;

    /// <summary>The window starts at the protocol's 65 535 and is raised by the first WINDOW_UPDATE.</summary>
    public ConnectionReceiveWindow(int size)
    {
        Size = Math.Max(size, Frames.FrameLimits.DefaultWindow);    // it cannot be made smaller (RFC 9113 6.9.2)
        _available = Frames.FrameLimits.DefaultWindow;
        _pending = Size - _available;
    }

    public int Size { get; }

    public readonly int Unconsumed => Size - _available - _pending;

    public bool TryTake(int bytes)
    {
        if (bytes > _available)
            return false;
        _available -= bytes;
        return true;
    }

    public void Consume(int bytes)
    {
        Debug.Assert(bytes <= Unconsumed, $"{bytes} bytes consumed of {Unconsumed} that arrived");
        _pending += bytes;
    }

    public readonly bool HasPending => _pending > 0;

    public readonly bool IsUpdateDue => _pending > 0 && _pending >= _available;

    public int TakeUpdate()
    {
        int increment = _pending;
        _available += increment;
        _pending = 0;
        return increment;
    }
}
