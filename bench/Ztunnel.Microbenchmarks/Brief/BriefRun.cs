using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace Ztunnel.Microbenchmarks.Brief;

/// <summary>
/// Every benchmark in seconds instead of minutes, without BenchmarkDotNet's machinery, which cannot run in a program compiled ahead of time: what one operation takes there, and what it allocates, in either.
/// </summary>
internal static class BriefRun
{
    private const int Batches = 5;
    private const int WarmUps = 3;
    private const int AllocationOperations = 200;
    private const int AllocationRounds = 5;

    private static readonly TimeSpan BetweenRounds = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan Batch = TimeSpan.FromMilliseconds(30);

    /// <summary>One row for each benchmark on standard output.</summary>
    public static async Task<int> PrintAsync(string? filter)
    {
        string how = RuntimeFeature.IsDynamicCodeSupported ? "JIT" : "compiled ahead of time";
        Console.WriteLine($".NET {Environment.Version}, {how}; medians of {Batches} batches of {Batch.TotalMilliseconds} ms, bytes of the calling thread\n\n| benchmark | ns | bytes |\n|---|---:|---:|");
        foreach (BriefCase benchmark in BriefCase.FindAll().Where(benchmark => filter is null || benchmark.Name.Contains(filter, StringComparison.OrdinalIgnoreCase)))
        {
            (double nanoseconds, long bytes) = await benchmark.RunAsync(static operation => (MeasureTime(operation), MeasureAllocation(operation)));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {benchmark.Name} | {nanoseconds:N1} | {bytes} |"));
        }

        return 0;
    }

    /// <summary>Bytes that one operation allocates on the managed heap, rounded to whole bytes: what shows once in hundreds of operations (a table that grows) is none.</summary>
    public static long MeasureAllocation(Action operation)
    {
        for (int index = 0; index < AllocationOperations; index++)
        {
            operation();
        }

        // The least of several rounds: on a busy machine a writer thread that brings buffers back may not run for a while, and the operation then makes new ones.
        long least = long.MaxValue;
        for (int round = 0; round < AllocationRounds && least > 0; round++)
        {
            if (round > 0)
            {
                Thread.Sleep(BetweenRounds);
            }

            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int index = 0; index < AllocationOperations; index++)
            {
                operation();
            }

            least = Math.Min(least, (GC.GetAllocatedBytesForCurrentThread() - before) / AllocationOperations);
        }

        return least;
    }

    private static double MeasureTime(Action operation)
    {
        // The most of three: a count during which the thread did not run would make batches of one operation, shorter than the clock can tell.
        long operations = Enumerable.Range(0, WarmUps).Max(_ => CountWithin(operation, Batch));
        double[] nanoseconds = new double[Batches];
        for (int batch = 0; batch < Batches; batch++)
        {
            long startedAt = Stopwatch.GetTimestamp();
            for (long index = 0; index < operations; index++)
            {
                operation();
            }

            nanoseconds[batch] = Stopwatch.GetElapsedTime(startedAt).TotalNanoseconds / operations;
        }

        Array.Sort(nanoseconds);
        return nanoseconds[Batches / 2];
    }

    private static long CountWithin(Action operation, TimeSpan duration)
    {
        long count = 0;
        for (long startedAt = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(startedAt) < duration; count++)
        {
            operation();
        }

        return Math.Max(1, count);
    }
}
