using Ztunnel.Linux.Interop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Process;

/// <summary>How many descriptors the process may have: before, now, and why the limit could not be raised if it could not.</summary>
public readonly record struct OpenFilesLimit(ulong Before, ulong Now, Errno Error);

/// <summary>What the kernel lets this process have.</summary>
public static class ResourceLimits
{
    /// <summary>Raises the soft limit of open files to the hard one (data-path 1.2). Runtimes that use select keep the soft one low; nothing here does.</summary>
    public static OpenFilesLimit RaiseOpenFiles()
    {
        SysResult read = Libc.GetOpenFilesLimit(out ulong soft, out ulong hard);
        if (read.Failed || soft >= hard)
        {
            return new OpenFilesLimit(soft, soft, read.Error);
        }

        Errno error = Libc.SetOpenFilesLimit(hard, hard).Error;
        return new OpenFilesLimit(soft, error == Errno.None ? hard : soft, error);
    }
}
