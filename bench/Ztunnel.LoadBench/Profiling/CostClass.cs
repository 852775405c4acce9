namespace Ztunnel.LoadBench.Profiling;

/// <summary>What a sampled function works on, told from the object it lies in and its name.</summary>
internal static class CostClass
{
    public const string Crypto = "crypto (libcrypto)";
    public const string KernelCopy = "kernel: copying";
    public const string KernelCalls = "kernel: system calls, epoll, scheduling";
    public const string KernelNetwork = "kernel: network stack";
    public const string Framing = "framing and records (Ztunnel.Http2, Ztunnel.Tls)";
    public const string Managed = "other managed code";
    public const string Runtime = "runtime (collector, allocation, casts)";
    public const string Libc = "libc";
    public const string Other = "other";

    /// <summary>In the order of the report.</summary>
    public static readonly string[] All = [Crypto, KernelCopy, KernelNetwork, KernelCalls, Framing, Managed, Runtime, Libc, Other];

    private static readonly string[] Copies = ["copy_user", "_copy_to_iter", "_copy_from_iter", "copyin", "copyout", "rep_movs", "memcpy", "copy_page", "skb_copy", "clear_page", "copy_to_user", "copy_from_user"];

    private static readonly string[] Calls =
    [
        "entry_SYSCALL", "syscall", "do_syscall", "__x64_sys", "__arm64_sys", "__do_sys", "__se_sys", "el0", "ep_", "epoll", "eventpoll", "fget", "fdget", "fput", "schedule", "pick_next", "enqueue_task", "dequeue_task",
        "finish_task_switch", "switch_", "try_to_wake_up", "futex", "import_iovec", "iovec", "vfs_", "ksys_", "exit_to_user", "hrtimer", "ktime", "update_curr", "select_task", "psi_", "__wake_up",
    ];

    public static string Of(string sharedObject, string symbol)
    {
        if (sharedObject.StartsWith("[kernel", StringComparison.Ordinal) || sharedObject.EndsWith(".ko", StringComparison.Ordinal) || (sharedObject.StartsWith('[') && sharedObject != "[vdso]" && sharedObject != "[unknown]"))
        {
            return StartsOrContains(symbol, Copies) ? KernelCopy : Calls.Any(start => symbol.StartsWith(start, StringComparison.Ordinal)) || symbol.Contains("syscall", StringComparison.Ordinal) ? KernelCalls : KernelNetwork;
        }

        return sharedObject.StartsWith("libcrypto", StringComparison.Ordinal) || sharedObject.StartsWith("libssl", StringComparison.Ordinal) ? Crypto
            : sharedObject.StartsWith("libc", StringComparison.Ordinal) || sharedObject.StartsWith("ld-", StringComparison.Ordinal) || sharedObject == "[vdso]" ? Libc
            : sharedObject == "ztunnel" ? OfBinary(symbol) : Other;
    }

    // The compiler's names begin with the assembly: Ztunnel_Http2_Ztunnel_Http2_Frames_FrameReader__TryRead, S_P_CoreLib_System_...
    private static string OfBinary(string symbol) =>
        symbol.StartsWith("Ztunnel_Http2", StringComparison.Ordinal) || symbol.StartsWith("Ztunnel_Tls", StringComparison.Ordinal) ? Framing
        : symbol.StartsWith("Ztunnel", StringComparison.Ordinal) || symbol.StartsWith("ztunnel", StringComparison.Ordinal) || symbol.StartsWith("S_P_", StringComparison.Ordinal) || symbol.StartsWith("System_", StringComparison.Ordinal)
          || symbol.StartsWith("Microsoft_", StringComparison.Ordinal) || symbol.Contains("__", StringComparison.Ordinal) ? Managed
        : Runtime;

    private static bool StartsOrContains(string symbol, string[] parts) => parts.Any(part => symbol.Contains(part, StringComparison.Ordinal));
}
