using Ztunnel.Linux.Interop;

namespace Ztunnel.Linux.Process;

public static class CpuCount
{
    /// <summary>Processors that are online on the machine, whatever this process may use of them: the basis of the default number of loops (data-path 1.2).</summary>
    public static int Online => (int)Math.Max(1, Libc.OnlineProcessors);
}
