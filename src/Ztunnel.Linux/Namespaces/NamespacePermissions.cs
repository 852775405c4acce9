using System.Net.Sockets;
using Ztunnel.Linux.Interop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Namespaces;

/// <summary>The check at start (control-path 8.6): without these permissions no pod can ever be served, so it is said before anything is opened.</summary>
public static class NamespacePermissions
{
    /// <summary>Throws with what is missing. Also opens the home namespace, to which every later entry returns.</summary>
    public static void Require(uint? mark)
    {
        try
        {
            NetworkNamespace.Home.Run(static _ => true, state: 0);
        }
        catch (LinuxException refused)
        {
            throw new LinuxException(refused.Error, "enter a network namespace with setns (needs CAP_SYS_ADMIN)");
        }

        if (mark is { } value)
        {
            using var probe = new SocketHandle((int)Libc.Socket(Libc.AF_INET, Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC, 0).OrThrow("open a TCP socket"), AddressFamily.InterNetwork);
            Errno marked = probe.Options.SetMark(value);
            if (marked != Errno.None)
            {
                throw new LinuxException(marked, $"set SO_MARK {value} on a socket (needs CAP_NET_ADMIN or CAP_NET_RAW)");
            }
        }
    }
}
