using System.Diagnostics;

namespace Ztunnel.LoadBench.Load;

/// <summary>
/// Mice beside elephants: bulk streams on a thread of their own for the whole time, first alone, then with echo connections beside them. What an interactive user notices of a backup, and what the backup pays for it.
/// </summary>
internal sealed class BesideRun(BulkLoad bulk, EchoLoad echo, Func<long> moved)
{
    /// <summary>The first echoes waited for the window to begin; they are not part of it.</summary>
    private static readonly TimeSpan EchoWarmUp = TimeSpan.FromSeconds(0.1);

    /// <summary>Bytes per second that the bulk streams carried before there was an echo.</summary>
    public double BytesPerSecondAlone { get; private set; }

    /// <summary>Bytes that they carried while the echoes were measured.</summary>
    public long BytesBeside { get; private set; }

    public void Run(TimeSpan warmUp, TimeSpan measured, Action begin, Action end)
    {
        TimeSpan whole = warmUp + measured + EchoWarmUp + measured;
        var thread = new Thread(() => bulk.Run(LoadWindow.StartNow(TimeSpan.Zero, whole), static () => { }, static () => { })) { IsBackground = true, Name = "bulk" };
        thread.Start();
        Thread.Sleep(warmUp);
        long startedAt = Stopwatch.GetTimestamp();
        long before = moved();
        Thread.Sleep(measured);
        BytesPerSecondAlone = (moved() - before) / Stopwatch.GetElapsedTime(startedAt).TotalSeconds;

        echo.Run(LoadWindow.StartNow(EchoWarmUp, measured), () => { before = moved(); begin(); }, () => { BytesBeside = moved() - before; end(); });
        thread.Join();
    }
}
