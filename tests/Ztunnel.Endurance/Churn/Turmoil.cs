using System.Diagnostics;
using Ztunnel.Endurance.Load;
using Ztunnel.Endurance.Network;

namespace Ztunnel.Endurance.Churn;

/// <summary>Changes the world around the load: mesh, policies, pods, certificates, control plane and node agents. What and when comes from the seed; at the end everything is as it was at the start.</summary>
internal sealed class Turmoil(SoakNetwork network, Tally tally, int seed, CancellationToken ending)
{
    // The agent looks at its list once a second, and a pod's listeners are drained for a moment.
    private static readonly TimeSpan PodLimit = TimeSpan.FromSeconds(30);

    // Every certificate is renewed within one: each proxy knows a root before the first certificate of it, and has none of the old one when that goes.
    private static readonly TimeSpan RootStep = TimeSpan.FromSeconds(SoakNetwork.CertificateSeconds + 2);

    public Task RunAsync() => Task.WhenAll(ChangeMeshAsync(), ChangePodsAsync(), ChangeRootsAsync(), RestartAgentsAsync());

    /// <summary>Everything as it was, pods included.</summary>
    public async Task RestoreAsync()
    {
        MeshState mesh = network.Mesh;
        (mesh.DeltaServes, mesh.DeltaIsHealthy, mesh.Revision, mesh.GuardedAllowsGamma, mesh.Strangers, mesh.Policies) = (true, true, "v1", false, 0, 0);
        foreach (PassingPod pod in network.Passing.Where(static pod => pod.Pod is null))
            await BringAsync(pod);
        network.WriteMesh();
    }

    private async Task ChangeMeshAsync()
    {
        var random = new Random(seed ^ 1);
        MeshState mesh = network.Mesh;
        while (!ending.IsCancellationRequested)
        {
            switch (random.Next(9))
            {
                case 0: (mesh.DeltaServes, _) = (!mesh.DeltaServes, Write("endpoint")); break;
                case 1: (mesh.DeltaIsHealthy, _) = (!mesh.DeltaIsHealthy, Write("health")); break;
                case 2: (mesh.Revision, _) = (mesh.Revision == "v1" ? "v2" : "v1", Write("labels")); break;
                case 3: (mesh.GuardedAllowsGamma, _) = (!mesh.GuardedAllowsGamma, Write("policy of guarded")); break;
                case 4: (mesh.Strangers, _) = (random.Next(200), Write("strangers")); break;
                case 5: Tell(random.Next(2) == 0 ? "disconnect" : "recycle"); break;
                case 6: Tell($"duplicate {(random.Next(2) == 0 ? "on" : "off")}"); break;
                default: (mesh.Policies, _) = (random.Next(256), Write("policies")); break;
            }

            network.WriteMesh();
            await Pace.PassAsync(TimeSpan.FromMilliseconds(150 + random.Next(700)), ending);
        }

        Tell("duplicate off");

        bool Write(string what)
        {
            tally.Churned(what);
            return true;
        }
    }

    private async Task ChangePodsAsync()
    {
        var random = new Random(seed ^ 2);
        while (!ending.IsCancellationRequested)
        {
            PassingPod pod = network.Passing[random.Next(network.Passing.Length)];
            if (pod.Pod is null)
                await BringAsync(pod);
            else
                await TakeAsync(pod, isMeshTold: random.Next(2) == 0);
            tally.Churned("pod");
            await Pace.PassAsync(TimeSpan.FromMilliseconds(random.Next(1500)), ending);
        }
    }

    /// <summary>A root is announced, then signs, then the one before is forgotten.</summary>
    private async Task ChangeRootsAsync()
    {
        string[] steps = ["announce-root", "rotate-root", "retire-roots"];
        for (int step = 0; ; step++)
        {
            await Pace.PassAsync(RootStep, ending);
            if (ending.IsCancellationRequested)
                return;
            Tell(steps[step % steps.Length]);
        }
    }

    private async Task RestartAgentsAsync()
    {
        var random = new Random(seed ^ 3);
        while (true)
        {
            await Pace.PassAsync(TimeSpan.FromSeconds(40 + random.Next(80)), ending);
            if (ending.IsCancellationRequested)
                return;
            network.Nodes[random.Next(network.Nodes.Length)].StartAgent();
            tally.Churned("agent");
        }
    }

    private void Tell(string command)
    {
        network.Istiod.SendLine(command);
        tally.Churned(command.Split(' ')[0]);
    }

    private async Task BringAsync(PassingPod passing)
    {
        var pod = new SoakPod(passing.Name, passing.Node, passing.Address, network.Bridge);
        pod.StartApplication(tally);
        passing.Pod = pod;
        network.WriteMesh();
        network.WritePods();
        SoakNode node = NodeOf(passing);
        await WaitAsync(() => node.ServesAsync(passing.Name), $"{passing.Name} is not served by {passing.Node}");
    }

    private async Task TakeAsync(PassingPod passing, bool isMeshTold)
    {
        SoakPod pod = passing.Pod!;
        SoakNode node = NodeOf(passing);
        double stopped = await node.StoppedProxiesAsync();
        // Clients of it finish what they do against a pod that is going; new ones do not begin.
        passing.Pod = null;
        if (isMeshTold)
            network.WriteMesh();
        network.WritePods();
        await pod.StopApplicationAsync();
        // Until its last reset has left: with the device gone nobody would tell the other end of a plain connection, whatever lies between.
        await WaitAsync(async () => await node.StoppedProxiesAsync() > stopped, $"{passing.Name} is still served by {passing.Node}");
        network.WriteMesh();
        pod.Dispose();
    }

    private SoakNode NodeOf(PassingPod pod) => network.Nodes.Single(node => node.Name == pod.Node);

    private async Task WaitAsync(Func<Task<bool>> holds, string problem)
    {
        long started = Stopwatch.GetTimestamp();
        while (!await holds())
        {
            if (Stopwatch.GetElapsedTime(started) > PodLimit)
            {
                tally.Violation($"{problem} after {PodLimit.TotalSeconds} s");
                return;
            }

            await Pace.PassAsync(TimeSpan.FromMilliseconds(100));
        }
    }
}
