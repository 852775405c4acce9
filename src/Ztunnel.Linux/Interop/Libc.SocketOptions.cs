using System.Runtime.InteropServices;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Interop;

internal static unsafe partial class Libc
{
    public const int SOL_IP = 0;
    public const int SOL_SOCKET = 1;
    public const int SOL_TCP = 6;
    public const int SOL_IPV6 = 41;

    public const int SO_REUSEADDR = 2;
    public const int SO_ERROR = 4;
    public const int SO_SNDBUF = 7;
    public const int SO_KEEPALIVE = 9;
    public const int SO_LINGER = 13;
    public const int SO_REUSEPORT = 15;
    public const int SO_MARK = 36;
    public const int SO_ORIGINAL_DST = 80;
    public const int SCM_RIGHTS = 1;

    public const int IP_PKTINFO = 8;
    public const int IP_FREEBIND = 15;
    public const int IP_TRANSPARENT = 19;
    public const int IP_BIND_ADDRESS_NO_PORT = 24;
    public const int IPV6_V6ONLY = 26;
    public const int IPV6_RECVPKTINFO = 49;
    public const int IPV6_PKTINFO = 50;
    public const int IPV6_TRANSPARENT = 75;
    public const int IPV6_FREEBIND = 78;

    public const int TCP_NODELAY = 1;
    public const int TCP_KEEPIDLE = 4;
    public const int TCP_KEEPINTVL = 5;
    public const int TCP_KEEPCNT = 6;
    public const int TCP_CONGESTION = 13;
    public const int TCP_USER_TIMEOUT = 18;
    public const int TCP_INFO = 11;

    public static Errno SetOption(int descriptor, int level, int name, int value) => SysResult.From(setsockopt(descriptor, level, name, (byte*)&value, sizeof(int))).Error;

    public static Errno SetOption(int descriptor, int level, int name, ReadOnlySpan<byte> value)
    {
        fixed (byte* bytes = value)
        {
            return SysResult.From(setsockopt(descriptor, level, name, bytes, (uint)value.Length)).Error;
        }
    }

    public static Errno GetOption(int descriptor, int level, int name, out int value)
    {
        int answer = 0;
        uint length = sizeof(int);
        SysResult result = SysResult.From(getsockopt(descriptor, level, name, (byte*)&answer, &length));
        value = answer;
        return result.Error;
    }

    public static Errno GetOption(int descriptor, int level, int name, Span<byte> value, out int bytes)
    {
        uint length = (uint)value.Length;
        fixed (byte* answer = value)
        {
            SysResult result = SysResult.From(getsockopt(descriptor, level, name, answer, &length));
            bytes = (int)length;
            return result.Error;
        }
    }

    [LibraryImport(Library)]
    private static partial int setsockopt(int fd, int level, int name, byte* value, uint length);

    [LibraryImport(Library)]
    private static partial int getsockopt(int fd, int level, int name, byte* value, uint* length);
}
