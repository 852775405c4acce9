using System.Runtime.InteropServices;
using Ztunnel.Linux.Interop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Loop;

/// <summary>An epoll instance with the batch of events it last returned, and an eventfd by which other threads end its wait.</summary>
internal sealed unsafe class EpollPoller : IDisposable
{
    /// <summary>The data of the wake-up event; no slot has this number.</summary>
    public const ulong WakeData = ulong.MaxValue;

    // One turn handles at most so many descriptors before posts, timers and flushes have their turn.
    private const int BatchEvents = 256;

    private readonly int _epoll;
    private readonly DescriptorHandle _wake;
    private readonly byte* _events;

    public EpollPoller()
    {
        _epoll = (int)Libc.EpollCreate().OrThrow("epoll_create1");
        _wake = new DescriptorHandle((int)Libc.EventDescriptor().OrThrow("eventfd"));
        _events = (byte*)NativeMemory.Alloc((nuint)(BatchEvents * Libc.EpollEventBytes));

        // Edge triggered: each write is an event of its own, and nobody has to read the counter (which takes centuries to overflow).
        Libc.EpollAdd(_epoll, _wake.Descriptor, Libc.EPOLLIN | Libc.EPOLLET, WakeData).OrThrow("epoll_ctl for the eventfd");
    }

    public int Wait(int timeoutMilliseconds) => Libc.EpollWait(_epoll, _events, BatchEvents, timeoutMilliseconds);

    public void Read(int index, out uint events, out ulong data)
    {
        byte* record = _events + ((long)index * Libc.EpollEventBytes);
        events = *(uint*)record;
        data = *(ulong*)(record + Libc.EpollDataOffset);
    }

    public Errno Add(int descriptor, uint events, ulong data) => Libc.EpollAdd(_epoll, descriptor, events, data).Error;

    public Errno Remove(int descriptor) => Libc.EpollRemove(_epoll, descriptor).Error;

    /// <summary>From any thread. The handle is held meanwhile: a poster that was late must not write into a descriptor that has become someone else's.</summary>
    public void Wake()
    {
        bool held = false;
        try
        {
            _wake.DangerousAddRef(ref held);
            ulong one = 1;
            Libc.Write(_wake.Descriptor, (byte*)&one, sizeof(ulong)).OrThrow("write to the eventfd");
        }
        catch (ObjectDisposedException)
        {
            // The loop is gone: nobody is left to wake.
        }
        finally
        {
            if (held)
            {
                _wake.DangerousRelease();
            }
        }
    }

    public void Dispose()
    {
        _wake.Dispose();
        Libc.Close(_epoll);
        NativeMemory.Free(_events);
    }
}
