using System.Globalization;
using System.Net;
using Ztunnel.LoadBench.Measurement;

namespace Ztunnel.LoadBench.Load;

/// <summary>
/// Memory and descriptors of both proxies: at rest, with each number of connections, and so many seconds after the last one left. Where the machine has no descriptors for all connections at once they come
/// and go in waves. What all connections share (a tunnel, caches) is there at rest already: the echo that said that the pair serves brought it.
/// </summary>
internal sealed class IdleRun(Arguments arguments, IPEndPoint target, int[][] watched)
{
    private readonly List<MemoryPoint> _points = [];

    public LoadResult Run()
    {
        using var load = new IdleLoad(target);
        // What the start needed for a moment has been given back by then, or is kept for good.
        Thread.Sleep(arguments.Seconds("--rest"));
        Take(connections: 0, secondsSinceLeft: 0);
        GrowToFreshAddresses(load);
        foreach (string step in arguments.List("--steps"))
        {
            load.GrowTo(int.Parse(step, NumberStyles.None, CultureInfo.InvariantCulture));
            Settle(load);
        }

        ComeAndGo(load);
        foreach (string moment in arguments.List("--left"))
        {
            int seconds = int.Parse(moment, NumberStyles.None, CultureInfo.InvariantCulture);
            Thread.Sleep(TimeSpan.FromSeconds(seconds - _points[^1].SecondsSinceLeft));
            Take(connections: 0, seconds);
        }

        return new LoadResult { Seconds = 0, Memory = [.. _points] };
    }

    private void GrowToFreshAddresses(IdleLoad load)
    {
        int count = arguments.Number("--fresh-count", 0);
        if (count > 0)
        {
            var addresses = new FreshAddresses(IPAddress.Parse(arguments.Text("--fresh-from")), count, target.Port);
            load.GrowBy([.. Enumerable.Range(0, count).Select(index => new IPEndPoint(addresses.At(index), target.Port))]);
            Settle(load);
        }
    }

    /// <summary>Closes what is open, and goes on in waves of that size until as many connections as asked for have come and gone.</summary>
    private void ComeAndGo(IdleLoad load)
    {
        int wave = load.Count;
        int came = wave;
        load.CloseAll();
        for (int all = arguments.Number("--come-and-go", 0); came < all; came += wave)
        {
            load.GrowTo(Math.Min(wave, all - came));
            load.CloseAll();
        }
    }

    private void Settle(IdleLoad load)
    {
        Thread.Sleep(arguments.Seconds("--settle"));
        Take(load.Count, secondsSinceLeft: 0);
    }

    private void Take(int connections, int secondsSinceLeft) => _points.Add(new MemoryPoint(
        connections, secondsSinceLeft, [.. watched.Select(static group => ProcessUsage.ResidentBytes(group))], [.. watched.Select(static group => ProcessUsage.Descriptors(group))], OpenWires()));

    /// <summary>Connections between the two proxies, seen from the client's namespace: warm tunnels are kept on purpose, they are not descriptors left behind.</summary>
    private int OpenWires()
    {
        const string Established = "01";
        string port = $":{arguments.Number("--wire-port"):X4}";
        return File.ReadLines("/proc/self/net/tcp").Concat(File.ReadLines("/proc/self/net/tcp6"))
            .Select(static line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Count(fields => fields[2].EndsWith(port, StringComparison.Ordinal) && fields[3] == Established);
    }
}
