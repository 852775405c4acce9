using System.Text;
using System.Threading.Channels;
using Ztunnel.Telemetry.Logging;

namespace Ztunnel.Telemetry.Tests.Logging;

public sealed class LogSinkTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly LogTarget Target = LogTarget.FromCategory("test");

    [Fact]
    public async Task Write_NobodyReads_ProducersGoOnAndLossIsReported()
    {
        const int Produced = 5000;
        var output = new GatedStream();
        var sink = new LogSink(output, new LogSinkSettings { QueuedLines = 1024 }, TimeProvider.System);
        sink.Write(LogSeverity.Info, Target, "first");
        await output.Blocked.WaitAsync(Patience);

        // Four producers against a stream that takes nothing: all of them must come to their end.
        await Task.WhenAll(Enumerable.Range(0, 4).Select(producer => Task.Run(() =>
        {
            for (int i = 0; i < Produced; i++)
                sink.Write(LogSeverity.Info, Target, $"{producer}:{i}");
        }))).WaitAsync(Patience);
        long dropped = sink.DroppedLines;
        Assert.Equal(4 * Produced - 1024, dropped);

        output.Open();
        Assert.True(await sink.StopAsync(Patience));
        string[] lines = output.Text.TrimEnd('\n').Split('\n');
        Assert.Contains("first", lines[0], StringComparison.Ordinal);
        Assert.Equal(1 + 1024 + 1, lines.Length);
        Assert.EndsWith($"\twarn\ttelemetry\tlog lines were dropped because the output did not take them\tdropped={dropped}", lines[^1], StringComparison.Ordinal);
        Assert.Equal(1024 + 2, sink.WrittenLines);
        // What was kept is the beginning of every producer's lines, in its order.
        foreach (IGrouping<string, int> producer in lines[1..^1].Select(static line => line.Split('\t')[3].Split(':')).GroupBy(static pair => pair[0], static pair => int.Parse(pair[1], System.Globalization.CultureInfo.InvariantCulture)))
            Assert.Equal(producer.Order(), producer);
    }

    [Fact]
    public async Task StopAsync_NobodyReads_GivesUpAtTheLimit()
    {
        var output = new GatedStream();
        var sink = new LogSink(output, new LogSinkSettings(), TimeProvider.System);
        sink.Write(LogSeverity.Info, Target, "first");
        await output.Blocked.WaitAsync(Patience);

        Assert.False(await sink.StopAsync(TimeSpan.FromMilliseconds(20)));
        output.Open();
    }

    [Fact]
    public async Task StopAsync_LinesQueued_AreWrittenFirst()
    {
        using var output = new MemoryStream();
        var sink = new LogSink(output, new LogSinkSettings { GatherTime = TimeSpan.FromMinutes(1) }, TimeProvider.System);
        for (int i = 0; i < 500; i++)
            sink.Write(LogSeverity.Info, Target, new string('x', 400));

        Assert.True(await sink.StopAsync(Patience));
        Assert.Equal(500, Encoding.UTF8.GetString(output.ToArray()).Split('\n').Length - 1);
    }

    [Fact]
    public async Task Write_LineLargerThanABatch_IsWrittenWhole()
    {
        using var output = new MemoryStream();
        var sink = new LogSink(output, new LogSinkSettings(), TimeProvider.System);
        string large = new('x', 200_000);
        sink.Write(LogSeverity.Info, Target, "before");
        sink.Write(LogSeverity.Info, Target, large);
        sink.Write(LogSeverity.Info, Target, "after");

        Assert.True(await sink.StopAsync(Patience));
        string[] messages = [.. Encoding.UTF8.GetString(output.ToArray()).TrimEnd('\n').Split('\n').Select(static line => line.Split('\t')[3])];
        Assert.Equal(["before", large, "after"], messages);
    }

    [Fact]
    public async Task Write_StreamFails_CountsAndGoesOn()
    {
        var sink = new LogSink(new BrokenStream(), new LogSinkSettings(), TimeProvider.System);
        sink.Write(LogSeverity.Info, Target, "lost");

        Assert.True(await sink.StopAsync(Patience));
        Assert.Equal(1, sink.DroppedLines);
        Assert.Equal(0, sink.WrittenLines);
    }

    [Fact]
    public async Task Write_DiskFullThenFree_TellsTheLossOnce()
    {
        var output = new FullDisk();
        var sink = new LogSink(output, new LogSinkSettings { GatherTime = TimeSpan.Zero }, TimeProvider.System);
        for (int i = 0; i < 3; i++)
        {
            sink.Write(LogSeverity.Info, Target, $"lost {i}");
            await output.FailedAsync($"lost {i}");
        }

        output.Free();
        sink.Write(LogSeverity.Info, Target, "kept");

        Assert.True(await sink.StopAsync(Patience));
        Assert.Equal(3, sink.DroppedLines);
        string[] told = [.. output.Text.TrimEnd('\n').Split('\n').Where(static line => line.Contains("were dropped", StringComparison.Ordinal))];
        Assert.EndsWith("dropped=3", Assert.Single(told), StringComparison.Ordinal);
        Assert.Contains("kept", output.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Write_FromManyThreads_EveryLineArrivesWhole()
    {
        using var output = new MemoryStream();
        var sink = new LogSink(output, new LogSinkSettings { QueuedLines = 32 * 1024, GatherTime = TimeSpan.Zero }, TimeProvider.System);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(producer => Task.Run(() =>
        {
            for (int i = 0; i < 5000; i++)
                sink.Write(LogSeverity.Info, Target, $"{producer}:{i}");
        }))).WaitAsync(Patience);

        Assert.True(await sink.StopAsync(Patience));
        HashSet<string> messages = [.. Encoding.UTF8.GetString(output.ToArray()).TrimEnd('\n').Split('\n').Select(static line => line.Split('\t')[3])];
        Assert.Equal(20_000, messages.Count);
        Assert.Equal(0, sink.DroppedLines);
    }

    /// <summary>Fails every write until there is room.</summary>
    private sealed class FullDisk : MemoryStream
    {
        private readonly Channel<string> _failures = Channel.CreateUnbounded<string>();
        private volatile bool _free;

        public string Text => Encoding.UTF8.GetString(ToArray());

        public void Free() => _free = true;

        public async Task FailedAsync(string line)
        {
            while (!(await _failures.Reader.ReadAsync().AsTask().WaitAsync(Patience)).Contains(line, StringComparison.Ordinal))
                continue;
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (_free)
            {
                base.Write(buffer);
                return;
            }

            _failures.Writer.TryWrite(Encoding.UTF8.GetString(buffer));
            throw new IOException("No space left on device");
        }
    }

    /// <summary>Takes nothing until it is opened.</summary>
    private sealed class GatedStream : MemoryStream
    {
        private readonly TaskCompletionSource _blocked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly ManualResetEventSlim _open = new();

        public Task Blocked => _blocked.Task;

        public string Text => Encoding.UTF8.GetString(ToArray());

        public void Open() => _open.Set();

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            _blocked.TrySetResult();
            Assert.True(_open.Wait(Patience));
            base.Write(buffer);
        }
    }

    private sealed class BrokenStream : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer) => throw new IOException("Broken pipe");
    }
}
