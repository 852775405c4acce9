using System.Runtime.InteropServices;
using Ztunnel.LoadBench;
using Ztunnel.LoadBench.Load;
using Ztunnel.LoadBench.Profiling;
using Ztunnel.LoadBench.Topology;

// One program in several roles: `run` measures, `profile` says where the CPU goes; they start it inside the namespaces as `serve` (the application), `load` (its clients) and `relay` (the floor).
const string Usage = "usage: ztunnel-bench run|profile|clean|serve|load|relay --option value ... (bench/run.sh is the way to start it)";

if (args.Length == 0)
{
    Console.Error.WriteLine(Usage);
    return 2;
}

try
{
    var arguments = new Arguments(args.AsSpan(1), "--quick");
    switch (args[0])
    {
        case "run":
            return await RunAsync(BenchSettings.Read(arguments));
        case "profile":
            return await ProfileAsync(BenchSettings.Read(arguments));
        case "clean":
            await Testbed.RemoveAllAsync();
            return 0;
        case "load":
            return LoadClient.Run(arguments);
        case "serve":
            using (var server = new LoadServer(arguments.EndPoint("--listen"), arguments.Text("--counter")))
            {
                server.Run();
            }

            return 0;
        case "relay":
            new PlainRelay(arguments.EndPoint("--listen"), arguments.EndPoint("--connect")).Run();
            return 0;
        default:
            Console.Error.WriteLine(Usage);
            return 2;
    }
}
catch (Exception exception) when (exception is UsageException or BenchException or InvalidOperationException or TimeoutException or IOException or System.ComponentModel.Win32Exception)
{
    Console.Error.WriteLine($"ztunnel-bench: {exception.Message}");
    return exception is UsageException ? 2 : 1;
}
catch (OperationCanceledException)
{
    Console.Error.WriteLine("ztunnel-bench: interrupted; namespaces removed");
    return 130;
}

static Task<int> RunAsync(BenchSettings settings) => AloneAsync(stop => new BenchRun(settings, TimeProvider.System, Console.Out).RunAsync(stop));

static Task<int> ProfileAsync(BenchSettings settings) => AloneAsync(stop => new ProfileRun(settings, Console.Out).RunAsync(TimeProvider.System.GetUtcNow(), stop));

static async Task<int> AloneAsync(Func<CancellationToken, Task<int>> work)
{
    // Two runs at once would measure each other, and remove each other's namespaces.
    using FileStream onlyOne = new("/run/lock/ztunnel-bench", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
    using var stop = new CancellationTokenSource();
    using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
    using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
    return await work(stop.Token);

    void Stop(PosixSignalContext context)
    {
        context.Cancel = true;
        stop.Cancel();
    }
}
