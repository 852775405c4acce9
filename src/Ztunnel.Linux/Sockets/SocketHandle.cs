using System.Net;
using System.Net.Sockets;

namespace Ztunnel.Linux.Sockets;

/// <summary>A socket that is not on a loop yet (or no longer). Whoever attaches, connects or listens with it takes it over.</summary>
public sealed class SocketHandle : DescriptorHandle
{
    public SocketHandle(int descriptor, AddressFamily family)
        : base(descriptor) => Family = family;

    public AddressFamily Family { get; }

    public SocketOptions Options => new(Descriptor, this);

    /// <summary>For a listener: whether IP_TRANSPARENT could be set, hence whether source addresses may be kept (data-path 1.3).</summary>
    public bool IsTransparent { get; internal init; }

    /// <summary>For a listener: why SO_REUSEPORT could not be set, which is only worth a warning (data-path 1.3).</summary>
    public Errno ReusePortError { get; internal init; }

    /// <summary>For datagrams: the kernel tells with each the address it was sent to.</summary>
    internal bool TellsDestination { get; init; }

    public IPEndPoint LocalEndPoint
    {
        get
        {
            Errno error = NativeAddress.TryReadLocal(Descriptor, out NativeAddress address);
            GC.KeepAlive(this);
            return error == Errno.None ? address.ToEndPoint() : throw new LinuxException(error, "getsockname");
        }
    }
}
