using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Process;

namespace Ztunnel.Http;

/// <summary><c>/debug/loops</c>: what the event loops have done, and which threads used the processor. What a CPU profile is asked for most often: which thread is busy, and whether one keeps its connections waiting.</summary>
internal sealed class LoopsPage(LoopGroup loops) : IAdminPage
{
    // Name and width of each column.
    private static readonly (string Name, int Width)[] Columns =
        [("loop", 6), ("turns", 12), ("events", 12), ("posts", 10), ("timers", 10), ("busy s", 12), ("longest turn ms", 17), ("turns > 10 ms", 15), ("watched", 9), ("armed", 8), ("buffers used", 14), ("buffers kept", 14)];

    public string Path => "debug/loops";

    public string Description => "event loops and threads: how busy they are, and how long their connections waited";

    public Task AnswerAsync(HttpContext context)
    {
        var text = new StringBuilder();
        foreach ((string name, int width) in Columns)
            text.Append(name.PadRight(width));
        text.Append('\n');
        foreach (EventLoop loop in loops.Loops)
        {
            object[] row =
            [
                loop.Index, loop.Metrics.Turns, loop.Metrics.Events, loop.Metrics.Posts, loop.Metrics.TimersFired, Seconds(loop.Metrics.BusyNanoseconds),
                (Math.Max(loop.Metrics.LongestTurnNanoseconds, loop.Metrics.CurrentTurnNanoseconds) / 1e6).ToString("0.000", CultureInfo.InvariantCulture),
                loop.Metrics.SlowTurns(1), loop.WatchCount, loop.ArmedTimers, loop.Buffers.RentedBytes, loop.Buffers.MappedBytes,
            ];
            for (int column = 0; column < row.Length; column++)
                text.Append(Convert.ToString(row[column], CultureInfo.InvariantCulture)!.PadRight(Columns[column].Width));
            text.Append('\n');
        }

        text.Append("\nprocessor time s, thread\n");
        foreach (ThreadUse thread in ThreadUse.Read().OrderByDescending(static thread => thread.Time))
            text.Append(CultureInfo.InvariantCulture, $"{thread.Time.TotalSeconds,-10:0.00} {thread.Name}\n");
        text.Append("\nlongest turn: since the last scrape of the metrics\n");
        return context.AnswerTextAsync(StatusCodes.Status200OK, text.ToString());
    }

    private static string Seconds(long nanoseconds) => (nanoseconds / 1e9).ToString("0.000", CultureInfo.InvariantCulture);
}
