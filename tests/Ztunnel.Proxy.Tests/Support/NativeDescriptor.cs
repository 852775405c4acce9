using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Ztunnel.Proxy.Tests.Support;

/// <summary>Hands a descriptor from a managed socket to a loop, which owns what it is given.</summary>
internal static partial class NativeDescriptor
{
    public static int Duplicate(Socket socket)
    {
        int duplicate = Dup((int)socket.Handle);
        return duplicate >= 0 ? duplicate : throw new InvalidOperationException($"dup: errno {Marshal.GetLastPInvokeError()}");
    }

    [LibraryImport("libc", EntryPoint = "dup", SetLastError = true)]
    private static partial int Dup(int descriptor);
}
