using System.Text;
using Ztunnel.Linux.Interop;

namespace Ztunnel.Linux.Sockets;

/// <summary>The options of one socket, by name. Setters answer what the kernel said; what a failure means is decided by who asked.</summary>
public readonly struct SocketOptions
{
    private readonly int _descriptor;
    private readonly object _owner;

    internal SocketOptions(int descriptor, object owner)
    {
        _descriptor = descriptor;
        _owner = owner;
    }

    public Errno SetNoDelay(bool enabled) => Set(Libc.SOL_TCP, Libc.TCP_NODELAY, enabled ? 1 : 0);

    /// <summary>Probes begin after the idle time; errors of single steps do not matter (data-path 1.3).</summary>
    public void SetKeepAlive(KeepAliveSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        if (!settings.Enabled)
        {
            return;
        }

        Set(Libc.SOL_SOCKET, Libc.SO_KEEPALIVE, 1);
        Set(Libc.SOL_TCP, Libc.TCP_KEEPIDLE, (int)settings.Time.TotalSeconds);
        Set(Libc.SOL_TCP, Libc.TCP_KEEPINTVL, (int)settings.Interval.TotalSeconds);
        Set(Libc.SOL_TCP, Libc.TCP_KEEPCNT, settings.Retries);
    }

    public Errno SetUserTimeout(TimeSpan timeout) => Set(Libc.SOL_TCP, Libc.TCP_USER_TIMEOUT, (int)Math.Min(timeout.TotalMilliseconds, int.MaxValue));

    public Errno SetMark(uint mark) => Set(Libc.SOL_SOCKET, Libc.SO_MARK, (int)mark);

    /// <summary>The IPv4-level option sets the same bit of an IPv6 socket (data-path 1.3).</summary>
    public Errno SetTransparent() => Set(Libc.SOL_IP, Libc.IP_TRANSPARENT, 1);

    public Errno SetSendBuffer(int bytes) => Set(Libc.SOL_SOCKET, Libc.SO_SNDBUF, bytes);

    /// <summary>The kernel must know the name: "cubic", "bbr".</summary>
    public Errno SetCongestionControl(string name)
    {
        Errno error = Libc.SetOption(_descriptor, Libc.SOL_TCP, Libc.TCP_CONGESTION, Encoding.ASCII.GetBytes(name));
        GC.KeepAlive(_owner);
        return error;
    }

    public bool TryGetNoDelay(out bool enabled)
    {
        bool known = TryGet(Libc.SOL_TCP, Libc.TCP_NODELAY, out int value);
        enabled = value != 0;
        return known;
    }

    public bool TryGetKeepAlive(out bool enabled)
    {
        bool known = TryGet(Libc.SOL_SOCKET, Libc.SO_KEEPALIVE, out int value);
        enabled = value != 0;
        return known;
    }

    public bool TryGetUserTimeout(out TimeSpan timeout)
    {
        bool known = TryGet(Libc.SOL_TCP, Libc.TCP_USER_TIMEOUT, out int value);
        timeout = TimeSpan.FromMilliseconds(value);
        return known;
    }

    public bool TryGetMark(out uint mark)
    {
        bool known = TryGet(Libc.SOL_SOCKET, Libc.SO_MARK, out int value);
        mark = (uint)value;
        return known;
    }

    internal Errno Set(int level, int name, int value)
    {
        Errno error = Libc.SetOption(_descriptor, level, name, value);
        GC.KeepAlive(_owner);
        return error;
    }

    private bool TryGet(int level, int name, out int value)
    {
        Errno error = Libc.GetOption(_descriptor, level, name, out value);
        GC.KeepAlive(_owner);
        return error == Errno.None;
    }
}
