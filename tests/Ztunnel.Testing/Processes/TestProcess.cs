using System.Diagnostics;
using System.Text;

namespace Ztunnel.Testing.Processes;

/// <summary>A program that runs beside a test; its output is kept line by line, and disposing ends it.</summary>
public sealed class TestProcess : IDisposable
{
    private readonly Process _process;
    private readonly string _commandLine;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _error = new();
    private readonly Lock _lock = new();
    private readonly List<(Func<string, bool> Wanted, TaskCompletionSource<string> Found)> _watchers = [];
    private bool _disposed;

    private TestProcess(Process process, string commandLine)
    {
        _process = process;
        _commandLine = commandLine;
    }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>Everything written to standard output so far.</summary>
    public string Output
    {
        get
        {
            lock (_lock)
            {
                return _output.ToString();
            }
        }
    }

    public string Error
    {
        get
        {
            lock (_lock)
            {
                return _error.ToString();
            }
        }
    }

    public static TestProcess Start(string program, params string[] arguments) => Start(program, environment: null, arguments);

    public static TestProcess Start(string program, IReadOnlyDictionary<string, string>? environment, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        Process process = Process.Start(start) ?? throw new InvalidOperationException($"`{program}` did not start");
        var started = new TestProcess(process, $"{program} {string.Join(' ', arguments)}");
        process.OutputDataReceived += (_, line) => started.Keep(started._output, line.Data);
        process.ErrorDataReceived += (_, line) => started.Keep(started._error, line.Data);
        process.EnableRaisingEvents = true;
        process.Exited += (_, _) => started.FailWatchers();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return started;
    }

    public CommandResult WaitForEnd(TimeSpan limit)
    {
        if (!_process.WaitForExit(limit))
        {
            _process.Kill(entireProcessTree: true);
            throw new TimeoutException($"`{_commandLine}` still runs after {limit.TotalSeconds} s; it wrote: {Output}{Error}");
        }

        // Without a limit: also waits until both pipes are read to their end.
        _process.WaitForExit();
        return new CommandResult(_commandLine, _process.ExitCode, Output, Error);
    }

    /// <summary>The first line of either stream, past or to come, that satisfies the condition.</summary>
    public async Task<string> WaitForLineAsync(Func<string, bool> wanted, TimeSpan? limit = null)
    {
        var found = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            string? earlier = _output.ToString().Split('\n').Concat(_error.ToString().Split('\n')).FirstOrDefault(wanted);
            if (earlier is not null)
            {
                return earlier;
            }

            if (_process.HasExited)
            {
                throw EndedEarly();
            }

            _watchers.Add((wanted, found));
        }

        TimeSpan waiting = limit ?? TestCommand.Limit;
        try
        {
            return await found.Task.WaitAsync(waiting);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"`{_commandLine}` did not write the expected line within {waiting.TotalSeconds} s; it wrote: {Output}{Error}");
        }
    }

    /// <summary>Writes a line to the program's standard input, which stays open.</summary>
    public void SendLine(string line)
    {
        _process.StandardInput.Write(line + "\n");
        _process.StandardInput.Flush();
    }

    public void CloseInput() => _process.StandardInput.Close();

    /// <summary>Sends a signal by name ("TERM", "INT").</summary>
    public void Signal(string name) => TestCommand.Run("kill", "-s", name, Id.ToString(System.Globalization.CultureInfo.InvariantCulture)).EnsureSucceeded();

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    private void FailWatchers()
    {
        // Also waits until both pipes are read: the line may be the last that was written.
        _process.WaitForExit();
        lock (_lock)
        {
            foreach ((_, TaskCompletionSource<string> found) in _watchers)
            {
                found.TrySetException(EndedEarly());
            }
        }
    }

    private InvalidOperationException EndedEarly() => new($"`{_commandLine}` ended with {_process.ExitCode} before it wrote the expected line; it wrote: {Output}{Error}");

    private void Keep(StringBuilder stream, string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (_lock)
        {
            stream.Append(line).Append('\n');
            foreach ((_, TaskCompletionSource<string> found) in _watchers.Where(watcher => watcher.Wanted(line)))
            {
                found.TrySetResult(line);
            }
        }
    }
}
