using System.Diagnostics;
using Ztunnel.Endurance.Load;

namespace Ztunnel.Endurance.Network;

/// <summary>A program of the soak. Of its output the last lines are kept: days of access logs would not fit anywhere.</summary>
internal sealed class NodeProcess : IDisposable
{
    private const int KeptLines = 60;

    // What no traffic and no churn may bring about.
    private static readonly string[] Alarms = ["an event loop's handler failed", "a connection failed unexpectedly", "a response could not be processed", "failed to stop the proxy", "port failed"];

    private readonly Process _process;
    private readonly string _name;
    private readonly Tally _tally;
    private readonly StreamWriter? _file;
    private readonly Lock _lock = new();   // guards what follows
    private readonly Queue<string> _latest = [];
    private (Func<string, bool> Wanted, TaskCompletionSource Found)? _watcher;
    private bool _ending;

    private NodeProcess(string name, Process process, Tally tally, string? folder)
    {
        _file = folder is null ? null : new StreamWriter(Path.Combine(folder, $"{name}.log"), append: true);
        _name = name;
        _process = process;
        _tally = tally;
    }

    public int Id => _process.Id;

    public string Latest
    {
        get
        {
            lock (_lock)
                return string.Join('\n', _latest);
        }
    }

    public static NodeProcess Start(string name, Tally tally, string? logFolder, IReadOnlyDictionary<string, string> environment, params string[] commandLine)
    {
        var start = new ProcessStartInfo(commandLine[0], commandLine[1..]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach ((string variable, string value) in environment)
            start.Environment[variable] = value;
        Process process = Process.Start(start) ?? throw new InvalidOperationException($"`{commandLine[0]}` did not start");
        var started = new NodeProcess(name, process, tally, logFolder);
        process.OutputDataReceived += (_, line) => started.Keep(line.Data);
        process.ErrorDataReceived += (_, line) => started.Keep(line.Data);
        process.EnableRaisingEvents = true;
        process.Exited += (_, _) => started.OnExit();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return started;
    }

    /// <summary>The next line with this part.</summary>
    public async Task WaitForLineAsync(string part, TimeSpan limit)
    {
        var found = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_latest.Any(Wanted))
                return;
            _watcher = (Wanted, found);
        }

        try
        {
            await found.Task.WaitAsync(limit);
        }
        catch (TimeoutException)
        {
            throw new InvalidOperationException($"{_name} did not say \"{part}\" within {limit.TotalSeconds} s; its latest lines:\n{Latest}");
        }

        bool Wanted(string line) => line.Contains(part, StringComparison.Ordinal);
    }

    public void SendLine(string line)
    {
        _process.StandardInput.Write(line + "\n");
        _process.StandardInput.Flush();
    }

    public void Dispose()
    {
        lock (_lock)
            _ending = true;
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
        lock (_lock)
            _file?.Dispose();
    }

    private void OnExit()
    {
        lock (_lock)
        {
            if (_ending)
                return;
            _watcher?.Found.TrySetException(new InvalidOperationException($"{_name} ended; its latest lines:\n{string.Join('\n', _latest)}"));
        }

        _tally.Violation($"{_name} ended with {_process.ExitCode}; its latest lines:\n{Latest}");
    }

    private void Keep(string? line)
    {
        if (line is null)
            return;
        lock (_lock)
        {
            if (_ending)
                return;
            _file?.WriteLine(line);
            _latest.Enqueue(line);
            if (_latest.Count > KeptLines)
                _latest.Dequeue();
            if (_watcher is { } watcher && watcher.Wanted(line))
                watcher.Found.TrySetResult();
        }

        if (Alarms.Any(alarm => line.Contains(alarm, StringComparison.Ordinal)))
            _tally.Violation($"{_name} logs: {line}");
    }
}
