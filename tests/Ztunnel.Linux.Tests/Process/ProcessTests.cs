using Ztunnel.Linux.Process;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Tests.Process;

public class ProcessTests
{
    [Fact]
    public void RaiseOpenFiles_Always_LeavesNoRoomBelowTheHardLimit()
    {
        OpenFilesLimit first = ResourceLimits.RaiseOpenFiles();
        OpenFilesLimit second = ResourceLimits.RaiseOpenFiles();

        Assert.Equal(Errno.None, first.Error);
        Assert.InRange(first.Now, first.Before, ulong.MaxValue);
        Assert.Equal(first.Now, second.Before);
        Assert.Equal(second.Before, second.Now);
    }

    [Fact]
    public void ProcessStatus_OfThisProcess_IsPlausible()
    {
        Assert.InRange(ProcessStatus.OpenFiles, 3, 100_000);
        Assert.InRange(ProcessStatus.CpuTime, TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1));
        using var self = System.Diagnostics.Process.GetCurrentProcess();
        Assert.InRange(ProcessStatus.ResidentBytes, self.WorkingSet64 / 2, self.WorkingSet64 * 2);
    }

    [Fact]
    public void Describe_KnownError_ReadsLikeRusts()
    {
        Assert.Equal("Connection refused (os error 111)", ErrnoText.Describe(Errno.ECONNREFUSED));
        Assert.Equal("Too many open files (os error 24)", ErrnoText.Describe(Errno.EMFILE));
        Assert.Equal("bind 10.0.0.1:80: Address already in use (os error 98)", new LinuxException(Errno.EADDRINUSE, "bind 10.0.0.1:80").Message);
    }
}
