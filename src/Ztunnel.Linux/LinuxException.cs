using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux;

/// <summary>A system call failed where failure is not an ordinary ending. The message names what was attempted, then the kernel's answer.</summary>
public sealed class LinuxException(Errno error, string what) : IOException($"{what}: {ErrnoText.Describe(error)}")
{
    public Errno Error { get; } = error;

    /// <summary>What was attempted, with its argument: "bind 10.0.0.1:15001".</summary>
    public string What { get; } = what;
}
