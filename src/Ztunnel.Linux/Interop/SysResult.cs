using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Interop;

/// <summary>What a system call answered: a value that is not negative, or an error number. -1 never leaves this folder.</summary>
internal readonly record struct SysResult(nint Value, Errno Error)
{
    public bool Failed => Error != Errno.None;

    /// <summary>Must be the very next thing after the call: anything else may overwrite errno. (The runtime preserves it across its own GC wait on the way back.)</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SysResult From(nint value) => value >= 0 ? new SysResult(value, Errno.None) : new SysResult(-1, (Errno)Marshal.GetLastSystemError());

    public nint OrThrow(string what) => Failed ? throw new LinuxException(Error, what) : Value;
}
