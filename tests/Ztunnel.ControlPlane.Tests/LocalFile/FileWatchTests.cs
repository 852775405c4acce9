using Ztunnel.ControlPlane.Files;

namespace Ztunnel.ControlPlane.Tests.LocalFile;

public sealed class FileWatchTests
{
    private static readonly FileSignature First = new(10, new DateTime(2026, 1, 1), 7);
    private static readonly FileSignature Second = First with { Bytes = 11 };
    private static readonly FileSignature Third = First with { Bytes = 12 };

    [Fact]
    public void OnLook_Unchanged_DoesNothing()
    {
        FileWatch watch = new(First);

        Assert.Equal([FileWatchAction.None, FileWatchAction.None, FileWatchAction.None], Looks(watch, First, First, First));
    }

    [Fact]
    public void OnLook_StillBeingWritten_WaitsUntilItStands() => Assert.Equal(
        [FileWatchAction.None, FileWatchAction.None, FileWatchAction.Load, FileWatchAction.None],
        Looks(new FileWatch(First), Second, Third, Third, Third));

    [Fact]
    public void OnLook_GoneForOneLook_IsARenameAndNotReported() => Assert.Equal(
        [FileWatchAction.None, FileWatchAction.None, FileWatchAction.Load],
        Looks(new FileWatch(First), null, Second, Second));

    [Fact]
    public void OnLook_Gone_IsReportedOnceAndTheSameFileBackIsLoaded() => Assert.Equal(
        [FileWatchAction.None, FileWatchAction.ReportMissing, FileWatchAction.None, FileWatchAction.None, FileWatchAction.Load],
        Looks(new FileWatch(First), null, null, null, First, First));

    private static IEnumerable<FileWatchAction> Looks(FileWatch watch, params FileSignature?[] looks) => [.. looks.Select(watch.OnLook)];
}
