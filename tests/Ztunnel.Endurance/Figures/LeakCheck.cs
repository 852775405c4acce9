using System.Diagnostics;
using Ztunnel.Endurance.Network;

namespace Ztunnel.Endurance.Figures;

/// <summary>Compares every node at rest before and after: takes the baseline when all is quiet and steady, and later waits, for so long and no longer, until everything is back.</summary>
internal sealed class LeakCheck(IReadOnlyList<SoakNode> nodes)
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan BaselineLimit = TimeSpan.FromSeconds(90);

    // Sockets towards resolvers stay open for up to 20 s of silence; everything else of this set-up is shorter.
    private static readonly TimeSpan ReturnLimit = TimeSpan.FromSeconds(90);

    // Longer than the quiet period of metric series and the idle limit of tunnels.
    private const int SteadyReadings = 10;

    private readonly Dictionary<SoakNode, NodeFigures> _baselines = [];

    public async Task TakeBaselineAsync()
    {
        NodeFigures[] baselines = await Task.WhenAll(nodes.Select(AwaitRestAsync));
        for (int i = 0; i < nodes.Count; i++)
            _baselines[nodes[i]] = baselines[i];
    }

    /// <summary>What is still above the baseline when the time is over; empty as soon as nothing is.</summary>
    public async Task<IReadOnlyList<string>> FindLeaksAsync(Action<string> say)
    {
        List<string> leaks = [];
        foreach (SoakNode node in nodes)
        {
            long started = Stopwatch.GetTimestamp();
            NodeFigures now = await NodeFigures.ReadAsync(node);
            while (now.Above(_baselines[node]).Count > 0 && Stopwatch.GetElapsedTime(started) < ReturnLimit)
            {
                await Pace.PassAsync(Period);
                now = await NodeFigures.ReadAsync(node);
            }

            say($"{node.Name} before: {_baselines[node]}");
            say($"{node.Name} after:  {now}");
            leaks.AddRange(now.Above(_baselines[node]).Select(leak => $"{node.Name}: {leak}"));
        }

        return leaks;
    }

    private static async Task<NodeFigures> AwaitRestAsync(SoakNode node)
    {
        long started = Stopwatch.GetTimestamp();
        NodeFigures last = await NodeFigures.ReadAsync(node);
        for (int same = 0; same < SteadyReadings;)
        {
            await Pace.PassAsync(Period);
            NodeFigures now = await NodeFigures.ReadAsync(node);
            same = now.IsQuiet && now.IsSameAs(last) ? same + 1 : 0;
            last = now;
            if (Stopwatch.GetElapsedTime(started) > BaselineLimit)
                throw new InvalidOperationException($"{node.Name} does not come to rest after the warm-up: {now}");
        }

        return last;
    }
}
