using System.Diagnostics;

namespace Ztunnel.Http2.FlowControl;

/// <summary>
/// How much the peer may send on all streams together. Streams whose receivers are stuck may hold most of it, and what is left must go on circulating for the others: an update
/// is due when the peer has half of what is *left*, however little that is. Updates are written once per flush, so small ones do not add up.
/// </summary>
/// <remarks>
/// Of <see cref="Size"/> bytes some are free for the peer, some have arrived and wait for applications, the others are ours to give. A limit keeps them back although they could be given: it bounds what is
/// under way to us, and does not count what waits for applications.
/// </remarks>
internal struct ConnectionReceiveWindow
{
    private int _available;
    private int _pending;
    private int _limit;

    /// <summary>The window starts at the protocol's 65 535 and is raised by the first WINDOW_UPDATE.</summary>
    public ConnectionReceiveWindow(int size)
    {
        Size = Math.Max(size, Frames.FrameLimits.DefaultWindow);    // it cannot be made smaller (RFC 9113 6.9.2)
        _available = Frames.FrameLimits.DefaultWindow;
        _pending = Size - _available;
        _limit = Size;
    }

    public int Size { get; }

    public readonly int Unconsumed => Size - _available - _pending;

    public readonly bool HasPending => _pending > 0;

    public readonly bool IsUpdateDue => _pending > 0 && _available <= Goal / 2;

    /// <summary>What the peer is to have: all that is not held by applications, or the limit.</summary>
    private readonly int Goal => Math.Min(_limit, _available + _pending);

    /// <summary>The peer is to have no more than this at a time. What it has already cannot be taken back.</summary>
    public void Limit(int bytes) => _limit = bytes;

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

    public int TakeUpdate()
    {
        int increment = Goal - _available;
        Debug.Assert(increment > 0, "an update must be due");
        _available += increment;
        _pending -= increment;
        return increment;
    }
}
