using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Ztunnel.LoadBench.Native;

/// <summary>An epoll set; the descriptor is the event's data.</summary>
internal sealed class Epoll : IDisposable
{
    public const uint In = 0x001;
    public const uint Out = 0x004;
    public const uint Error = 0x008;
    public const uint HangUp = 0x010;
    public const uint PeerClosed = 0x2000;
    public const uint EdgeTriggered = 1u << 31;

    private const int AddOperation = 1;
    private const int RemoveOperation = 2;
    private const int ModifyOperation = 3;

    // struct epoll_event is packed on x86-64 only: three words there, four with padding elsewhere.
    private static readonly int WordsPerEvent = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 3 : 4;

    private readonly int _fd;
    private readonly int _capacity;
    private readonly int[] _events;

    public Epoll(int capacity = 256)
    {
        _fd = Libc.epoll_create1(Libc.EPOLL_CLOEXEC);
        if (_fd < 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }

        _capacity = capacity;
        _events = new int[capacity * 4];
    }

    public void Add(int fd, uint events) => Control(AddOperation, fd, events);

    public void Modify(int fd, uint events) => Control(ModifyOperation, fd, events);

    public void Remove(int fd) => Control(RemoveOperation, fd, 0);

    public int Wait(int timeoutMilliseconds) => Math.Max(0, Libc.epoll_wait(_fd, ref _events[0], _capacity, timeoutMilliseconds));

    /// <summary>From here on this thread's waits end when they should, not up to 50 µs later as the kernel allows itself otherwise.</summary>
    public static void WakeExactly() => _ = Libc.prctl(Libc.PR_SET_TIMERSLACK, 1, 0, 0, 0);

    /// <summary>Waits for nanoseconds, where milliseconds are too coarse.</summary>
    public int WaitFor(long nanoseconds)
    {
        var timeout = new Timespec { Seconds = nanoseconds / 1_000_000_000, Nanoseconds = nanoseconds % 1_000_000_000 };
        return Math.Max(0, Libc.epoll_pwait2(_fd, ref _events[0], _capacity, ref timeout, signals: 0, signalsLength: 0));
    }

    public (int Fd, uint Events) this[int index] => (_events[(index * WordsPerEvent) + WordsPerEvent - 2], (uint)_events[index * WordsPerEvent]);

    public void Dispose() => _ = Libc.close(_fd);

    private void Control(int operation, int fd, uint events)
    {
        Span<int> words = stackalloc int[4];
        words.Clear();
        words[0] = (int)events;
        words[WordsPerEvent - 2] = fd;
        if (Libc.epoll_ctl(_fd, operation, fd, ref words[0]) < 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }
    }
}
