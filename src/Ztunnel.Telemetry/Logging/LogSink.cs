namespace Ztunnel.Telemetry.Logging;

/// <summary>
/// Where all lines go: a bounded queue and one thread that writes it to a stream. A producer formats into a pooled buffer and never waits: when nobody reads the stream, lines are dropped and counted,
/// and a line says how many as soon as there is room again.
/// </summary>
public sealed class LogSink : IAsyncDisposable
{
    private const int SpareBuffers = 256;
    private const int BatchBytes = 64 * 1024;

    private static readonly LogTarget OwnTarget = LogTarget.FromCategory("telemetry");

    private readonly BoundedRing<LogBuffer> _queue;
    private readonly BoundedRing<LogBuffer> _spare = new(SpareBuffers);
#pragma warning disable CA2213 // The stream belongs to whoever gave it; the event may be set by a producer at any time, also after the end.
    private readonly Stream _output;
    private readonly AutoResetEvent _work = new(initialState: false);
#pragma warning restore CA2213
    private readonly TimeSpan _gatherTime;
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Written by producers, read by the writer.
    private long _dropped;
    private int _writerSleeps;
    private volatile bool _stopping;

    // Writer thread only.
    private readonly byte[] _batch = new byte[BatchBytes];
    private int _batched;
    private int _batchedLines;
    private long _reportedDrops;
    private long _announcedDrops;
    private long _written;

    public LogSink(Stream output, LogSinkSettings settings, TimeProvider time)
    {
        _output = output;
        _gatherTime = settings.GatherTime;
        _queue = new BoundedRing<LogBuffer>(settings.QueuedLines);
        Format = settings.Format;
        Time = time;
        // Background: a stream that blocks for ever must not keep the process.
        new Thread(Run) { IsBackground = true, Name = "ztunnel-log" }.Start();
    }

    public LogFormat Format { get; }

    /// <summary>Lines lost because the queue was full or the stream failed.</summary>
    public long DroppedLines => Volatile.Read(ref _dropped);

    /// <summary>Lines handed to the stream.</summary>
    public long WrittenLines => Volatile.Read(ref _written);

    internal TimeProvider Time { get; }

    /// <summary>Begins a line. The caller has asked the target's gate.</summary>
    public LogLine Begin(LogSeverity severity, LogTarget target, scoped ReadOnlySpan<LogSpan> spans)
    {
        LogBuffer buffer = _spare.TryDequeue(out LogBuffer? spare) ? spare : new LogBuffer();
        return new LogLine(this, buffer, severity, target, spans);
    }

    /// <summary>Writes one line without fields.</summary>
    public void Write(LogSeverity severity, LogTarget target, ReadOnlySpan<char> message, bool severalLines = false)
    {
        LogLine line = Begin(severity, target, []);
        line.Message(message, severalLines);
        line.Complete(target, []);
    }

    /// <summary>Writes what is queued and ends the thread; false when the limit passed first. Lines that come later are dropped.</summary>
    public async Task<bool> StopAsync(TimeSpan limit)
    {
        _stopping = true;
        _work.Set();
        try
        {
            await _finished.Task.WaitAsync(limit, Time).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    public async ValueTask DisposeAsync() => await StopAsync(TimeSpan.FromSeconds(1)).ConfigureAwait(false);

    internal bool Enqueue(LogBuffer buffer)
    {
        if (_finished.Task.IsCompleted || !_queue.TryEnqueue(buffer))
        {
            Interlocked.Increment(ref _dropped);
            Recycle(buffer);
            return false;
        }

        // Full fence: either the writer, which announces its sleep before it looks once more, sees the line, or we see it asleep.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _writerSleeps) == 1 && Interlocked.Exchange(ref _writerSleeps, 0) == 1)
            _work.Set();
        return true;
    }

    private void Run()
    {
        while (true)
        {
            bool lastRound = _stopping;
            while (_queue.TryDequeue(out LogBuffer? line))
                Gather(line);
            ReportDrops();
            Flush();
            if (lastRound)
                break;
            Sleep();
            // Whoever woke us is the first of a burst more often than not.
            if (!_stopping)
                _work.WaitOne(_gatherTime);
        }

        _finished.SetResult();
    }

    private void Sleep()
    {
        Volatile.Write(ref _writerSleeps, 1);
        Interlocked.MemoryBarrier();
        if (_queue.TryDequeue(out LogBuffer? late))
        {
            Volatile.Write(ref _writerSleeps, 0);
            Gather(late);
            return;
        }

        _work.WaitOne();
        Volatile.Write(ref _writerSleeps, 0);
    }

    private void Gather(LogBuffer line)
    {
        if (line.Length > _batch.Length - _batched)
            Flush();
        if (line.Length > _batch.Length)
        {
            Write(line.Written, lines: 1);
        }
        else
        {
            line.Written.CopyTo(_batch.AsSpan(_batched));
            _batched += line.Length;
            _batchedLines++;
        }

        Recycle(line);
    }

    // Behind the lines that were queued when the loss happened, before those that came after it was noticed.
    private void ReportDrops()
    {
        if (Volatile.Read(ref _dropped) == _reportedDrops)
            return;
        Flush();
        long lost = Volatile.Read(ref _dropped) - _reportedDrops;
        _announcedDrops = lost;
        var buffer = new LogBuffer();
        var line = new LogLine(this, buffer, LogSeverity.Warn, OwnTarget, []);
        line.Message("log lines were dropped because the output did not take them");
        line.Field("dropped"u8, lost);
        line.Finish(OwnTarget, []);
        Gather(buffer);
    }

    private void Flush()
    {
        if (_batched == 0)
            return;
        Write(_batch.AsSpan(0, _batched), _batchedLines);
        _batched = 0;
        _batchedLines = 0;
    }

    private void Write(ReadOnlySpan<byte> bytes, int lines)
    {
        try
        {
            _output.Write(bytes);
            _output.Flush();
            Volatile.Write(ref _written, _written + lines);
            _reportedDrops += _announcedDrops;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // The reader is gone or the disk is full. Proxying goes on; the loss is told when there is room again, without the line that was to tell it.
            Interlocked.Add(ref _dropped, lines - (_announcedDrops > 0 ? 1 : 0));
        }
        finally
        {
            _announcedDrops = 0;
        }
    }

    private void Recycle(LogBuffer buffer)
    {
        if (!buffer.IsWorthKeeping)
            return;
        buffer.Clear();
        _spare.TryEnqueue(buffer);
    }
}
