using System.Diagnostics;
using Ztunnel.LoadBench.Measurement;
using Ztunnel.LoadBench.Native;

namespace Ztunnel.LoadBench.Topology;

/// <summary>A program that runs beside the measurement, its output in a file; stopped with SIGTERM, then by force, its children too.</summary>
internal sealed class BackgroundProcess : IAsyncDisposable
{
    private const int SIGTERM = 15;
    private const int SIGKILL = 9;
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    private readonly Process _process;
    private readonly string _log;

    private BackgroundProcess(Process process, string log)
    {
        _process = process;
        _log = log;
    }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>Itself and what it started by now.</summary>
    public int[] Family => ProcessUsage.WithChildren(Id);

    public static BackgroundProcess Start(string log, IReadOnlyDictionary<string, string> environment, params string[] commandLine)
    {
        // Every link of the chain (sh, ip netns exec, chroot) replaces itself by the next: the id is the program's.
        var start = new ProcessStartInfo("sh", ["-c", "log=$1; shift; exec \"$@\" >>\"$log\" 2>&1 </dev/null", "sh", log, .. commandLine]);
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        return new BackgroundProcess(Process.Start(start) ?? throw new BenchException($"`{commandLine[0]}` did not start"), log);
    }

    public string LogTail() => File.Exists(_log) ? string.Join('\n', File.ReadLines(_log).TakeLast(15)) : "";

    public async ValueTask DisposeAsync()
    {
        if (!HasExited)
        {
            int[] family = Family;
            _ = Libc.kill(Id, SIGTERM);
            try
            {
                await _process.WaitForExitAsync().WaitAsync(Grace);
            }
            catch (TimeoutException)
            {
                foreach (int id in family)
                {
                    _ = Libc.kill(id, SIGKILL);
                }

                await _process.WaitForExitAsync();
            }
        }

        _process.Dispose();
    }
}
