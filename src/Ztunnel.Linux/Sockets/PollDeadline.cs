using System.Diagnostics;
using Ztunnel.Linux.Interop;

namespace Ztunnel.Linux.Sockets;

/// <summary>What is left of a blocking call's time. Signals that interrupt a wait do not lengthen it.</summary>
internal readonly struct PollDeadline(TimeSpan timeout)
{
    // A poll that waits for nothing but time.
    private const int NoDescriptor = -1;
    private const int PauseMilliseconds = 10;

    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly TimeSpan _timeout = timeout;

    private int LeftMilliseconds
    {
        get
        {
            double left = (_timeout - Stopwatch.GetElapsedTime(_started)).TotalMilliseconds;
            return left <= 0 ? 0 : (int)Math.Min(Math.Ceiling(left), int.MaxValue);
        }
    }

    /// <summary>False when the time is over without an event. A hang-up is an event: the next call tells.</summary>
    public bool Wait(DescriptorHandle handle, short events)
    {
        while (true)
        {
            int left = LeftMilliseconds;
            SysResult polled = Libc.Poll(handle.Descriptor, events, left);
            if (polled.Value > 0)
            {
                return true;
            }

            if (polled.Failed && polled.Error != Errno.EINTR)
            {
                throw new LinuxException(polled.Error, "poll");
            }

            if (left == 0)
            {
                return false;
            }
        }
    }

    /// <summary>A short rest where no event can be awaited; false when the time is over.</summary>
    public bool Pause()
    {
        int left = LeftMilliseconds;
        if (left == 0)
        {
            return false;
        }

        Libc.Poll(NoDescriptor, 0, Math.Min(left, PauseMilliseconds));
        return true;
    }
}
