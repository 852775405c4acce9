using System.Net;
using System.Net.Sockets;
using Ztunnel.Linux.Interop;
using Ztunnel.Linux.Namespaces;

namespace Ztunnel.Linux.Sockets;

/// <summary>What a listener is for; data-path 1.3.</summary>
public enum ListenerKind
{
    /// <summary>15001, 15006, 15008, 15080: may keep the client's address, and its connections inherit TCP_NODELAY, keepalive and user timeout.</summary>
    Workload,

    /// <summary>DNS over TCP: none of these.</summary>
    Plain,
}

/// <summary>Whether a socket took over the client's address; if not, which step failed, and the connection goes out with our own (data-path 1.7).</summary>
public readonly record struct SpoofResult(bool IsBound, string? FailedStep, Errno Error);

/// <summary>
/// Makes the sockets of one pod, or of our own namespace. Every one carries the mark, else the pod's packet filter would send it back to us.
/// Socket creation happens inside the namespace, everything after it from home. May be used by any thread.
/// </summary>
public sealed class SocketFactory
{
    private const int ListenBacklog = 128;

    private readonly NetworkNamespace? _pod;
    private readonly SocketSettings _settings;

    /// <param name="pod">Null for our own namespace. It must outlive the factory.</param>
    /// <param name="settings">Mark and options of every socket.</param>
    public SocketFactory(NetworkNamespace? pod, SocketSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        _pod = pod;
        _settings = settings;
    }

    public NetworkNamespace? Namespace => _pod;

    public SocketSettings Settings => _settings;

    /// <summary>A socket for connecting: TCP_NODELAY, keepalive, user timeout, mark.</summary>
    public SocketHandle OpenTcp(AddressFamily family)
    {
        var handle = new SocketHandle(OpenDescriptor(family, Libc.SOCK_STREAM, Libc.IPPROTO_TCP), family);
        try
        {
            SetStreamOptions(handle);
            Mark(handle);
            return handle;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>A socket for sending datagrams, unbound.</summary>
    public SocketHandle OpenUdp(AddressFamily family)
    {
        var handle = new SocketHandle(OpenDescriptor(family, Libc.SOCK_DGRAM, Libc.IPPROTO_UDP), family);
        try
        {
            Mark(handle);
            return handle;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>A bound socket for receiving datagrams. Failing SO_REUSEPORT is an error here (data-path 1.3). Bound to all addresses, it tells which one each was sent to.</summary>
    public SocketHandle OpenUdpListener(IPEndPoint bind)
    {
        ArgumentNullException.ThrowIfNull(bind);
        using SocketHandle handle = OpenUdp(bind.AddressFamily); // closed by whatever throws below
        if (_settings.ReusePort)
        {
            ThrowIfFailed(handle.Options.Set(Libc.SOL_SOCKET, Libc.SO_REUSEPORT, 1), $"set SO_REUSEPORT for {bind}");
        }

        bool isWildcard = bind.Address.Equals(IPAddress.Any) || bind.Address.Equals(IPAddress.IPv6Any);
        if (isWildcard)
        {
            (int level, int option) = bind.AddressFamily == AddressFamily.InterNetwork ? (Libc.SOL_IP, Libc.IP_PKTINFO) : (Libc.SOL_IPV6, Libc.IPV6_RECVPKTINFO);
            ThrowIfFailed(handle.Options.Set(level, option, 1), $"have the destination of datagrams told for {bind}");
        }

        ThrowIfFailed(Bind(handle, bind), $"bind {bind}");
        return new SocketHandle(handle.Release(), bind.AddressFamily) { TellsDestination = isWildcard };
    }

    /// <summary>[::] where IPv6 is wanted and there, which serves both families, else 0.0.0.0.</summary>
    public SocketHandle OpenWildcardListener(int port, ListenerKind kind)
    {
        if (!_settings.IPv6)
        {
            return OpenListener(new IPEndPoint(IPAddress.Any, port), kind);
        }

        try
        {
            return OpenListener(new IPEndPoint(IPAddress.IPv6Any, port), kind);
        }
        catch (LinuxException exception) when (exception.Error is Errno.EAFNOSUPPORT or Errno.EADDRNOTAVAIL)
        {
            return OpenListener(new IPEndPoint(IPAddress.Any, port), kind);
        }
    }

    /// <summary>Mark, port reuse, bind, listen, transparency, in the order of data-path 1.2.</summary>
    public SocketHandle OpenListener(IPEndPoint bind, ListenerKind kind)
    {
        ArgumentNullException.ThrowIfNull(bind);
        int descriptor = OpenDescriptor(bind.AddressFamily, Libc.SOCK_STREAM, Libc.IPPROTO_TCP);
        using var opened = new SocketHandle(descriptor, bind.AddressFamily); // closed by whatever throws below
        Mark(opened);
        if (kind == ListenerKind.Workload)
        {
            SetStreamOptions(opened); // accepted sockets inherit them, which saves five calls for each
        }

        Errno reuse = Errno.None;
        if (_settings.ReusePort)
        {
            reuse = opened.Options.Set(Libc.SOL_SOCKET, Libc.SO_REUSEPORT, 1);
        }
        else
        {
            ThrowIfFailed(opened.Options.Set(Libc.SOL_SOCKET, Libc.SO_REUSEADDR, 1), $"set SO_REUSEADDR for {bind}");
        }

        if (bind.Address.Equals(IPAddress.IPv6Any))
        {
            // Dual stack must not depend on the namespace's net.ipv6.bindv6only.
            ThrowIfFailed(opened.Options.Set(Libc.SOL_IPV6, Libc.IPV6_V6ONLY, 0), $"clear IPV6_V6ONLY for {bind}");
        }

        ThrowIfFailed(Bind(opened, bind), $"bind {bind}");
        ThrowIfFailed(Libc.Listen(descriptor, ListenBacklog).Error, $"listen on {bind}");
        bool isTransparent = kind == ListenerKind.Workload && TrySetTransparent(opened, bind);
        return new SocketHandle(opened.Release(), bind.AddressFamily) { IsTransparent = isTransparent, ReusePortError = reuse };
    }

    /// <summary>
    /// Makes the socket, which must be of the source's family, leave with another's address. Which port is the caller's choice, see <see cref="SpoofedPort"/>; 0 leaves it to the kernel, which
    /// chooses when it connects, for each destination anew, so that a client's address does not run out of ports.
    /// </summary>
    public SpoofResult BindSpoofed(SocketHandle handle, IPAddress source, int port)
    {
        ArgumentNullException.ThrowIfNull(handle);
        ArgumentNullException.ThrowIfNull(source);
        bool isIPv6 = source.AddressFamily == AddressFamily.InterNetworkV6;
        SocketOptions options = handle.Options;
        Errno error = isIPv6 ? options.Set(Libc.SOL_IPV6, Libc.IPV6_TRANSPARENT, 1) : options.SetTransparent();
        if (error != Errno.None)
        {
            return new SpoofResult(false, "IP_TRANSPARENT", error);
        }

        error = isIPv6 ? options.Set(Libc.SOL_IPV6, Libc.IPV6_FREEBIND, 1) : options.Set(Libc.SOL_IP, Libc.IP_FREEBIND, 1);
        if (error != Errno.None)
        {
            return new SpoofResult(false, "IP_FREEBIND", error);
        }

        if (port == 0)
            options.Set(Libc.SOL_IP, Libc.IP_BIND_ADDRESS_NO_PORT, 1); // an optimisation: without it bind takes a port of its own
        else
            options.Set(Libc.SOL_SOCKET, Libc.SO_REUSEADDR, 1); // a port that other destinations use, too, or whose last connection is over
        error = Bind(handle, new IPEndPoint(source, port));
        return error == Errno.None ? new SpoofResult(true, null, Errno.None) : new SpoofResult(false, "bind", error);
    }

    private static unsafe Errno Bind(SocketHandle handle, IPEndPoint endPoint)
    {
        NativeAddress address = NativeAddress.From(endPoint, handle.Family);
        fixed (byte* bytes = address.Bytes)
        {
            return Libc.Bind(handle.Descriptor, bytes, address.Length).Error;
        }
    }

    private static void ThrowIfFailed(Errno error, string what)
    {
        if (error != Errno.None)
        {
            throw new LinuxException(error, what);
        }
    }

    private int OpenDescriptor(AddressFamily family, int type, int protocol)
    {
        int native = family == AddressFamily.InterNetwork ? Libc.AF_INET : Libc.AF_INET6;
        int flags = type | Libc.SOCK_NONBLOCK | Libc.SOCK_CLOEXEC;
        SysResult result = _pod is null ? Libc.Socket(native, flags, protocol) : _pod.OpenSocket(native, flags, protocol);
        return (int)result.OrThrow("open a socket");
    }

    private void SetStreamOptions(SocketHandle handle)
    {
        SocketOptions options = handle.Options;
        options.SetNoDelay(true);
        options.SetKeepAlive(_settings.KeepAlive);
        if (_settings.UserTimeout is { } timeout)
        {
            options.SetUserTimeout(timeout);
        }

        if (_settings.CongestionControl is { } name)
        {
            ThrowIfFailed(options.SetCongestionControl(name), $"set congestion control {name}");
        }
    }

    private void Mark(SocketHandle handle)
    {
        if (_settings.Mark is { } mark)
        {
            ThrowIfFailed(handle.Options.SetMark(mark), $"set SO_MARK {mark}");
        }
    }

    private bool TrySetTransparent(SocketHandle handle, IPEndPoint bind)
    {
        if (_settings.OriginalSource == false)
        {
            return false;
        }

        Errno error = handle.Options.SetTransparent();
        if (error != Errno.None && _settings.OriginalSource == true)
        {
            throw new LinuxException(error, $"set IP_TRANSPARENT for {bind}, which ENABLE_ORIG_SRC demands");
        }

        return error == Errno.None;
    }
}
