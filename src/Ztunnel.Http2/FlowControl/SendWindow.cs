using System.Diagnostics;

namespace Ztunnel.Http2.FlowControl;

/// <summary>How much we may send, on one stream or on the connection. May become negative when the peer lowers its initial window (RFC 9113 6.9.2).</summary>
internal struct SendWindow(int initial)
{
    public int Available { get; private set; } = initial;

    public void Take(int bytes)
    {
        Debug.Assert(bytes <= Available, $"{bytes} bytes sent with {Available} available");
        Available -= bytes;
    }

    /// <summary>False when the window would exceed 2^31-1 (RFC 9113 6.9.1). A change of SETTINGS_INITIAL_WINDOW_SIZE comes as its difference.</summary>
    public bool TryAdd(long difference)
    {
        long sum = Available + difference;
        if (sum is > Frames.FrameLimits.MaxWindow or < int.MinValue)
            return false;
        Available = (int)sum;
        return true;
    }
}
