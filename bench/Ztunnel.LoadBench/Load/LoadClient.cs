using System.Globalization;
using System.Net;
using System.Text.Json;
using Ztunnel.LoadBench.Measurement;

namespace Ztunnel.LoadBench.Load;

/// <summary>The `load` role: opens the connections of one kind of load, drives them through one window, and prints a <see cref="LoadResult"/>.</summary>
internal sealed class LoadClient
{
    private readonly Arguments _arguments;
    private readonly IPEndPoint _target;
    private readonly int[][] _watched;
    private readonly UsageWindow _usage;
    private readonly string _counter;

    private LoadClient(Arguments arguments)
    {
        _arguments = arguments;
        _target = arguments.EndPoint("--target");
        _watched = [.. arguments.Text("--watch", "").Split(';', StringSplitOptions.RemoveEmptyEntries).Select(ParseProcesses)];
        _counter = arguments.Text("--counter");
        _usage = new UsageWindow(_watched, [Environment.ProcessId, .. ParseProcesses(arguments.Text("--server", ""))]);
    }

    public static int Run(Arguments arguments)
    {
        var client = new LoadClient(arguments);
        string kind = arguments.Text("--kind");
        LoadResult result = kind switch
        {
            "up" => client.RunBulk(isUp: true),
            "down" => client.RunBulk(isUp: false),
            "echo" => client.RunEcho(),
            "connect" => client.RunConnect(),
            "open" => client.RunOpen(),
            "beside" => client.RunEchoBesideBulk(isUp: true),
            "beside-down" => client.RunEchoBesideBulk(isUp: false),
            "idle" => new IdleRun(arguments, client._target, client._watched).Run(),
            _ => throw new UsageException($"--kind {kind}: expected up, down, echo, open, connect, beside, beside-down or idle"),
        };
        Console.WriteLine(JsonSerializer.Serialize(result, LoadResultJson.Default.LoadResult));
        return 0;
    }

    private static int[] ParseProcesses(string text) =>
        [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(static id => int.Parse(id, NumberStyles.None, CultureInfo.InvariantCulture))];

    private LoadResult RunBulk(bool isUp)
    {
        using var load = new BulkLoad(Targets(), isUp);
        using var arrived = new SharedCounter(_counter);
        long arrivedBefore = 0;
        long bytes = 0;
        load.Run(Window(), () => { arrivedBefore = arrived.Value; _usage.Begin(); }, () => { bytes = arrived.Value - arrivedBefore; _usage.End(); });
        return Result(load) with { Bytes = isUp ? bytes : load.BytesReceived };
    }

    private LoadResult RunEcho()
    {
        using var load = new EchoLoad(Targets(), _arguments.Number("--bytes"));
        load.Run(Window(), _usage.Begin, _usage.End);
        return Result(load);
    }

    private LoadResult RunOpen()
    {
        using var load = new OpenLoad(Targets(), _arguments.Number("--bytes"), _arguments.Number("--rate"));
        load.Run(Window(), _usage.Begin, () => { _usage.End(); load.RecordUnanswered(); });
        return Result(load);
    }

    private LoadResult RunConnect()
    {
        FreshAddresses? fresh = _arguments.Find("--fresh-from") is { } from ? new FreshAddresses(IPAddress.Parse(from), _arguments.Number("--fresh-count"), _target.Port) : null;
        using var load = new ConnectLoad(_target, _arguments.Number("--connections"), fresh);
        load.Run(Window(), _usage.Begin, _usage.End);
        return load.IsExhausted && load.Errors == 0 ? throw new InvalidOperationException("the fresh addresses did not last for the window") : Result(load);
    }

    private LoadResult RunEchoBesideBulk(bool isUp)
    {
        using var bulk = new BulkLoad(Targets(), isUp);
        using var echo = new EchoLoad([.. Enumerable.Repeat(_target, _arguments.Number("--mice"))], _arguments.Number("--bytes"));
        using var arrived = new SharedCounter(_counter);
        var run = new BesideRun(bulk, echo, () => isUp ? arrived.Value : bulk.BytesReceived);
        run.Run(_arguments.Seconds("--warm-up"), _arguments.Seconds("--seconds"), _usage.Begin, _usage.End);
        return Result(echo) with { Bytes = run.BytesBeside, BytesPerSecondAlone = run.BytesPerSecondAlone, Errors = echo.Errors + bulk.Errors, FirstError = echo.FirstError ?? bulk.FirstError };
    }

    /// <summary>One target for each connection: the application's address, or some of the server pod's further ones in turn, each with a tunnel of its own.</summary>
    private IPEndPoint[] Targets()
    {
        int connections = _arguments.Number("--connections");
        int addresses = _arguments.Number("--fresh-count", 0);
        if (addresses == 0)
        {
            return [.. Enumerable.Repeat(_target, connections)];
        }

        var fresh = new FreshAddresses(IPAddress.Parse(_arguments.Text("--fresh-from")), addresses, _target.Port);
        return [.. Enumerable.Range(0, connections).Select(index => new IPEndPoint(fresh.At(index % addresses), _target.Port))];
    }

    private LoadWindow Window() => LoadWindow.StartNow(_arguments.Seconds("--warm-up"), _arguments.Seconds("--seconds"));

    private LoadResult Result(LoadLoop load) => new()
    {
        Seconds = _usage.Seconds,
        Bytes = load.BytesReceived,
        Operations = load.Operations,
        Errors = load.Errors,
        FirstError = load.FirstError,
        Latency = load.Latency.Count > 0 ? load.Latency.Summarise() : null,
        CpuSeconds = _usage.CpuSeconds,
        LoadCpuSeconds = _usage.LoadCpuSeconds,
        ForeignCpuSeconds = _usage.ForeignCpuSeconds,
    };
}
