using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Interop;

internal static unsafe partial class Libc
{
    private const int CLONE_NEWNET = 0x40000000;
    private const uint NS_GET_NSTYPE = 0xB703;
    private const int AT_EMPTY_PATH = 0x1000;
    private const uint STATX_INO = 0x100;
    private const int StatxBytes = 256;
    private const int StatxInodeOffset = 32;
    private const int StatxDeviceMajorOffset = 136;
    private const int StatxDeviceMinorOffset = 140;

    /// <summary>The number the kernel has for the calling thread. Of the whole process only that thread changes its namespace.</summary>
    public static SysResult EnterNetworkNamespace(int descriptor) => SysResult.From(setns(descriptor, CLONE_NEWNET));

    public static bool IsNetworkNamespace(int descriptor) => ioctl(descriptor, NS_GET_NSTYPE, 0) == CLONE_NEWNET;

    /// <summary>statx, whose layout is the same on every machine, unlike stat's. The device is put together as stat would report it.</summary>
    public static SysResult Identify(int descriptor, out ulong device, out ulong inode)
    {
        byte* answer = stackalloc byte[StatxBytes];
        byte nothing = 0;
        SysResult result = SysResult.From(statx(descriptor, &nothing, AT_EMPTY_PATH, STATX_INO, answer));
        inode = *(ulong*)(answer + StatxInodeOffset);
        ulong major = *(uint*)(answer + StatxDeviceMajorOffset);
        ulong minor = *(uint*)(answer + StatxDeviceMinorOffset);
        device = ((major & 0xFFFFF000) << 32) | ((major & 0xFFF) << 8) | ((minor & 0xFFFFFF00) << 12) | (minor & 0xFF);
        return result;
    }

    [LibraryImport(Library)]
    private static partial int setns(int fd, int type);

    [LibraryImport(Library)]
    private static partial int ioctl(int fd, nuint request, nint argument);

    [LibraryImport(Library)]
    private static partial int statx(int directory, byte* path, int flags, uint mask, byte* answer);

    /// <summary>
    /// The sequences that run inside a foreign namespace on an ordinary thread: enter, socket or open, leave. Nothing but these three calls happens in between,
    /// through addresses that were looked up before and in code that is compiled as a whole: no lazy binding, no tiering, hence no thread that the runtime
    /// could start there (it would inherit the namespace for good and carry other pods' traffic into this one).
    /// </summary>
    internal static class InNamespace
    {
        private static readonly nint Library = NativeLibrary.Load("libc.so.6");
        private static readonly delegate* unmanaged<int, int, int> SetNs = (delegate* unmanaged<int, int, int>)NativeLibrary.GetExport(Library, "setns");
        private static readonly delegate* unmanaged<int, int, int, int> SocketCall = (delegate* unmanaged<int, int, int, int>)NativeLibrary.GetExport(Library, "socket");
        private static readonly delegate* unmanaged<byte*, int, int> OpenCall = (delegate* unmanaged<byte*, int, int>)NativeLibrary.GetExport(Library, "open");
        private static readonly delegate* unmanaged<int*> ErrnoLocation = (delegate* unmanaged<int*>)NativeLibrary.GetExport(Library, "__errno_location");

        [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
        public static SysResult OpenSocket(int pod, int home, int family, int type, int protocol, out bool entered)
        {
            delegate* unmanaged<int, int, int> setNamespace = SetNs;
            delegate* unmanaged<int, int, int, int> openSocket = SocketCall;
            int* errno = ErrnoLocation();

            entered = setNamespace(pod, CLONE_NEWNET) == 0;
            if (!entered)
            {
                return new SysResult(-1, (Errno)(*errno));
            }

            int descriptor = openSocket(family, type, protocol);
            int error = *errno;
            if (setNamespace(home, CLONE_NEWNET) != 0)
            {
                Environment.FailFast("cannot leave a pod's network namespace: one pod's traffic would leave as another's");
            }

            return descriptor >= 0 ? new SysResult(descriptor, Errno.None) : new SysResult(-1, (Errno)error);
        }

        /// <summary>Opens a file below /proc/sys/net, which stays that of the namespace it was opened in.</summary>
        [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
        public static SysResult OpenFile(int pod, int home, byte* zeroTerminatedPath, int flags, out bool entered)
        {
            delegate* unmanaged<int, int, int> setNamespace = SetNs;
            delegate* unmanaged<byte*, int, int> openFile = OpenCall;
            int* errno = ErrnoLocation();

            entered = setNamespace(pod, CLONE_NEWNET) == 0;
            if (!entered)
            {
                return new SysResult(-1, (Errno)(*errno));
            }

            int descriptor = openFile(zeroTerminatedPath, flags);
            int error = *errno;
            if (setNamespace(home, CLONE_NEWNET) != 0)
            {
                Environment.FailFast("cannot leave a pod's network namespace: one pod's traffic would leave as another's");
            }

            return descriptor >= 0 ? new SysResult(descriptor, Errno.None) : new SysResult(-1, (Errno)error);
        }
    }
}
