using System.Net;
using System.Net.Sockets;
using Ztunnel.Endurance.Churn;
using Ztunnel.Endurance.Network;

namespace Ztunnel.Endurance.Load;

/// <summary>Everything that goes on at once: who talks to whom, in which way, how many of each.</summary>
/// <remarks>In the warm-up no name is forwarded to the resolver: its sockets would stay for 20 s and be part of the baseline.</remarks>
internal sealed class LoadMix(SoakNetwork network, Tally tally, int seed, bool isWarmUp, CancellationToken ending)
{
    private const int ClosedPort = 9;
    private readonly List<Task> _running = [];
    private int _started;

    /// <summary>Completes when the load has ended and every connection of it.</summary>
    public Task RunAsync()
    {
        foreach (SoakPod pod in network.Steady)
        {
            Repeat(1, pod, "bulk", () => AnySteady(pod), Client.BulkAsync);
            Repeat(2, pod, "echo", () => AnySteady(pod), Client.EchoAsync);
            Repeat(1, pod, "connect-close", () => AnySteady(pod), Client.ConnectCloseAsync);
            Repeat(6, pod, "idle", () => AnySteady(pod), Client.IdleAsync);
            Repeat(1, pod, "half-close", () => AnySteady(pod), Client.HalfCloseAsync);
            Repeat(1, pod, "reset", () => AnySteady(pod), Client.ResetAsync);
            Repeat(1, pod, "churned", AnyPassing, Client.BulkAsync);
            Repeat(2, pod, "churned", AnyPassing, Client.IdleAsync);
            _running.Add(Task.Run(new DnsLoad(pod, tally, NextRandom(), isForwarding: !isWarmUp, ending).RunAsync));
        }

        Target guarded = network.Guarded.Target, refusing = guarded with { IsTouched = true };
        Repeat(2, network.Alpha, "allowed", () => guarded, Client.EchoAsync);
        Repeat(2, network.Gamma, "sometimes allowed", () => refusing, Client.IdleAsync);
        Repeat(1, network.Beta, "denied", () => refusing, Client.RefusedAsync);
        Repeat(1, network.Outside, "plain text", () => network.Gamma.Target, Client.BulkAsync);
        Repeat(1, network.Outside, "denied", () => refusing, Client.RefusedAsync);
        Repeat(1, network.Beta, "failing", () => new Target("closed", new IPEndPoint(network.Gamma.Address, ClosedPort), IsTouched: true), Client.RefusedAsync);
        Repeat(1, network.Alpha, "failing", () => new Target("empty", new IPEndPoint(IPAddress.Parse(MeshState.EmptyVip), 80), IsTouched: true), Client.RefusedAsync);
        Repeat(2, network.Beta, "failing", () => new Target("ghost", new IPEndPoint(IPAddress.Parse(MeshState.GhostAddress), SoakPod.Port), IsTouched: true), Client.RefusedAsync);
        return Task.WhenAll(_running);
    }

    private void Repeat(int count, SoakPod pod, string what, Func<Target> choose, Func<Client, Socket, CancellationToken, Task> talk)
    {
        for (; count > 0; count--)
        {
            var client = new Client(pod, tally, NextRandom(), ending);
            _running.Add(Task.Run(() => client.RunAsync(what, choose, talk)));
        }
    }

    private Random NextRandom() => new((seed * 1_000_003) + _started++);

    /// <summary>Another steady pod by its address, the service, or somebody outside: whatever churn does, this works.</summary>
    private Target AnySteady(SoakPod from)
    {
        int choice = Random.Shared.Next(8);
        if (choice < 3)
            return new Target("service", new IPEndPoint(IPAddress.Parse(MeshState.ServiceVip), 80));
        if (choice == 3)
            return network.Outside.Target;
        SoakPod[] others = [.. network.Steady.Where(pod => pod != from)];
        return others[Random.Shared.Next(others.Length)].Target;
    }

    private Target AnyPassing()
    {
        SoakPod? pod = network.Passing[Random.Shared.Next(network.Passing.Length)].Pod;
        return pod is not null && Random.Shared.Next(2) == 0
            ? pod.Target with { IsTouched = true }
            : new Target("passing service", new IPEndPoint(IPAddress.Parse(MeshState.PassingVip), 80), IsTouched: true);
    }
}
