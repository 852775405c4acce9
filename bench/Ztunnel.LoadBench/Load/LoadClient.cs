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
            "beside" => client.RunEchoBesideBulk(),
            "idle" => client.RunIdle(),
            _ => throw new UsageException($"--kind {kind}: expected up, down, echo, connect, beside or idle"),
        };
        Console.WriteLine(JsonSerializer.Serialize(result, LoadResultJson.Default.LoadResult));
        return 0;
    }

    private static int[] ParseProcesses(string text) =>
        [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(static id => int.Parse(id, NumberStyles.None, CultureInfo.InvariantCulture))];

    private LoadResult RunBulk(bool isUp)
    {
        using var load = new BulkLoad(_target, _arguments.Number("--connections"), isUp);
        using var arrived = new SharedCounter(_counter);
        long arrivedBefore = 0;
        long bytes = 0;
        load.Run(Window(), () => { arrivedBefore = arrived.Value; _usage.Begin(); }, () => { bytes = arrived.Value - arrivedBefore; _usage.End(); });
        return Result(load) with { Bytes = isUp ? bytes : load.BytesReceived };
    }

    private LoadResult RunEcho()
    {
        using var load = new EchoLoad(_target, _arguments.Number("--connections"), _arguments.Number("--bytes"));
        load.Run(Window(), _usage.Begin, _usage.End);
        return Result(load);
    }

    private LoadResult RunConnect()
    {
        FreshAddresses? fresh = _arguments.Find("--fresh-from") is { } from ? new FreshAddresses(IPAddress.Parse(from), _arguments.Number("--fresh-count"), _target.Port) : null;
        using var load = new ConnectLoad(_target, _arguments.Number("--connections"), fresh);
        load.Run(Window(), _usage.Begin, _usage.End);
        return load.IsExhausted && load.Errors == 0 ? throw new InvalidOperationException("the fresh addresses did not last for the window") : Result(load);
    }

    /// <summary>One echo connection on its own thread while others carry bulk: what an interactive user notices of a backup.</summary>
    private LoadResult RunEchoBesideBulk()
    {
        using var bulk = new BulkLoad(_target, _arguments.Number("--connections"), isUp: true);
        using var echo = new EchoLoad(_target, connections: 1, _arguments.Number("--bytes"));
        using var arrived = new SharedCounter(_counter);
        LoadWindow window = Window();
        var thread = new Thread(() => bulk.Run(window, static () => { }, static () => { })) { IsBackground = true, Name = "bulk" };
        thread.Start();
        long arrivedBefore = 0;
        long bytes = 0;
        echo.Run(window, () => { arrivedBefore = arrived.Value; _usage.Begin(); }, () => { bytes = arrived.Value - arrivedBefore; _usage.End(); });
        thread.Join();
        return Result(echo) with { Bytes = bytes, Errors = echo.Errors + bulk.Errors, FirstError = echo.FirstError ?? bulk.FirstError };
    }

    private LoadResult RunIdle()
    {
        using var load = new IdleLoad(_target);
        // The first connection brings what all share (a tunnel, caches); it is not the price of one more.
        load.GrowTo(1);
        List<MemoryPoint> points = [Settled(load.Count)];
        int fresh = _arguments.Number("--fresh-count", 0);
        if (fresh > 0)
        {
            var addresses = new FreshAddresses(IPAddress.Parse(_arguments.Text("--fresh-from")), fresh, _target.Port);
            load.GrowBy([.. Enumerable.Range(0, fresh).Select(index => new IPEndPoint(addresses.At(index), _target.Port))]);
            points.Add(Settled(load.Count));
        }

        foreach (string step in _arguments.List("--steps"))
        {
            load.GrowTo(int.Parse(step, NumberStyles.None, CultureInfo.InvariantCulture));
            points.Add(Settled(load.Count));
        }

        load.CloseAll();
        points.Add(Settled(0));
        return new LoadResult { Seconds = 0, Memory = [.. points] };
    }

    /// <summary>Resident memory once the proxies have come to rest: what a burst needed for a moment has been given back, or is kept for good.</summary>
    private MemoryPoint Settled(int connections)
    {
        Thread.Sleep(_arguments.Seconds("--settle"));
        return new MemoryPoint(connections, [.. _watched.Select(static group => ProcessUsage.ResidentBytes(group))]);
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
