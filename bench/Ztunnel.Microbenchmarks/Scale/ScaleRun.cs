using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using Ztunnel.ControlPlane.Xds;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using Ztunnel.Protos.Discovery;

namespace Ztunnel.Microbenchmarks.Scale;

/// <summary>
/// What does a mesh of N workloads and N/10 services cost a node: CPU to take it in from the bytes of xDS, memory to keep it, a push of 1,000 changes, and what its connections notice of that?
/// One process measures one size, since memory is the process's.
/// </summary>
internal static class ScaleRun
{
    private const int Changed = 1_000;
    private const int Pushes = 60;
    private const int LargeService = 10_000;
    private const int Policies = 1_000;

    public static int Run(int workloads)
    {
        // The code is compiled before it is measured, as it is in the native binary.
        Load(ScaleMesh.Everything(2_000), out _);
        MeasureFirstUse(new MeshStore("node-1"));
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        long managedBefore = GC.GetTotalMemory(forceFullCollection: true);
        long residentBefore = Resident();

        byte[] everything = ScaleMesh.Everything(workloads);
        (DeltaProtocol protocol, MeshStore store) = Load(everything, out TimeSpan ingest);
        long peak = Peak();
        int wireBytes = everything.Length;
        everything = [];
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        Say("workloads, services", $"{store.Current.WorkloadCount:N0}, {store.Current.ServiceCount:N0}; {wireBytes / 1e6:F1} MB on the wire");
        Say("ingest", $"{ingest.TotalSeconds:F2} s of CPU");
        Say("kept for each workload", $"{(GC.GetTotalMemory(forceFullCollection: true) - managedBefore) / (double)workloads:F0} bytes of heap, {(Resident() - residentBefore) / (double)workloads:F0} resident");
        Say("resident, peak", $"{Resident() / 1048576.0:F0} MiB, {peak / 1048576.0:F0} MiB with the response in memory beside what makes it");

        MeasurePushes(protocol, workloads);
        Say("first use of a service of 10,000 endpoints", $"{MeasureFirstUse(store):F2} ms");
        Say("1,000 policies that do not match", $"{MeasurePolicies():F2} µs for an evaluation");
        GC.KeepAlive(protocol);
        GC.KeepAlive(store);
        return 0;
    }

    private static void MeasurePushes(DeltaProtocol protocol, int workloads)
    {
        byte[][] pushes = [.. Enumerable.Range(0, Pushes).Select(push => ScaleMesh.Changes(Changed, workloads, push))];
        // What making them has left is nothing that a push would find.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        using var probe = new EchoProbe();
        (double restLongest, double restP99) = probe.Measure(static () => Thread.Sleep(1_000));
        double[] times = new double[Pushes];
        var pauses = new CollectorPauses();
        var heap = new HeapBehindPushes(HeapBehindPushes.CollectYoung);
        long allocated = 0;
        (double longest, double p99) = probe.Measure(() =>
        {
            for (int push = 0; push < Pushes; push++)
            {
                long started = ThreadNanoseconds();
                allocated -= GC.GetAllocatedBytesForCurrentThread();
                heap.OnApplied(Apply(protocol, pushes[push]));
                allocated += GC.GetAllocatedBytesForCurrentThread();
                times[push] = (ThreadNanoseconds() - started) / 1e6;
                pauses.Look();
                Thread.Sleep(20);
            }
        });
        Array.Sort(times);
        foreach (string kind in pauses.Describe())
            Say("collections meanwhile", kind);
        Say("allocated by a push", $"{allocated / (double)Pushes / 1048576:F2} MiB");
        Say("push of 1,000 changes", $"{times[Pushes / 2]:F1} ms of CPU in the middle, {times[Pushes * 95 / 100]:F1} for 95 %, {times[^1]:F1} at most, collection behind it included");
        Say("64 echoing connections, longest answer", $"{longest:F2} ms while pushed (99 %: {p99:F2}), {restLongest:F2} at rest ({restP99:F2})");
    }

    // On its own, so that nothing of the response is alive when the heap is collected behind it: as in the client, whose loop lets go of it.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static MeshChange? Apply(DeltaProtocol protocol, byte[] push) => protocol.OnResponse(DeltaDiscoveryResponse.Parser.ParseFrom(push)).Change;

    /// <summary>The first connection to a large service, in milliseconds.</summary>
    private static double MeasureFirstUse(MeshStore store)
    {
        Load(ScaleMesh.OneService(LargeService), store, out _);
        MeshSnapshot mesh = store.Current;
        Workload source = mesh.LocalWorkloads.First();
        var destination = new OriginalDestination(new IPEndPoint(IPAddress.Parse("172.0.0.0"), 80));
        long started = Stopwatch.GetTimestamp();
        Route route = OutboundRouter.Route(mesh, new RoutingContext(), source, source.Addresses[0], destination, SystemRandom.Instance, NoLoad.Instance);
        double time = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        return route.Kind != RouteKind.Refuse ? time : throw new InvalidOperationException("the large service was not found");
    }

    private static double MeasurePolicies()
    {
        var update = new MeshUpdate { Workloads = { new Workload { Uid = "w", Name = "w", Traits = new WorkloadTraits { Identity = new SpiffeId("cluster.local", "default", "w") } } } };
        for (int policy = 0; policy < Policies; policy++)
        {
            update.Policies.Add(new Policy
            {
                Name = $"p{policy}",
                Namespace = "default",
                Scope = PolicyScope.Namespace,
                Action = PolicyAction.Deny,
                Rules = [new PolicyRule([new PolicyClause([new PolicyMatch { Principals = [new StringMatch(StringMatchKind.Exact, $"cluster.local/ns/default/sa/other-{policy}")], DestinationPorts = [(ushort)(1 + policy)] }])])],
            });
        }

        var store = new MeshStore();
        store.Apply(update);
        MeshSnapshot mesh = store.Current;
        Workload local = mesh.Workloads.First();
        var connection = new PolicyConnection(new SpiffeId("cluster.local", "default", "client"), IPAddress.Loopback, new IPEndPoint(IPAddress.Loopback, 8080));
        var settings = new PolicySettings();
        const int Rounds = 20_000;
        long started = 0;
        for (int round = -Rounds; round < Rounds; round++)
        {
            if (round == 0)
                started = Stopwatch.GetTimestamp();
            if (!PolicyEvaluator.Evaluate(mesh, local, connection, settings).Allowed)
                throw new InvalidOperationException("a policy matched");
        }

        return Stopwatch.GetElapsedTime(started).TotalMicroseconds / Rounds;
    }

    private static (DeltaProtocol Protocol, MeshStore Store) Load(byte[] bytes, out TimeSpan cpu)
    {
        var store = new MeshStore("node-1");
        return (Load(bytes, store, out cpu), store);
    }

    private static DeltaProtocol Load(byte[] bytes, MeshStore store, out TimeSpan cpu)
    {
        var protocol = new DeltaProtocol(new XdsNodeSettings(), onDemand: false, store);
        TimeSpan before = Environment.CpuUsage.TotalTime;
        DeltaOutcome outcome = protocol.OnResponse(DeltaDiscoveryResponse.Parser.ParseFrom(bytes));
        cpu = Environment.CpuUsage.TotalTime - before;
        return outcome.Rejects.Count == 0 ? protocol : throw new InvalidOperationException(outcome.Rejects[0]);
    }

    // What this thread has run for: a machine with other work to do says little by the clock.
    private static long ThreadNanoseconds() => long.Parse(File.ReadAllText("/proc/thread-self/schedstat").Split(' ')[0], CultureInfo.InvariantCulture);

    private static long Resident() => Status("VmRSS:");

    private static long Peak() => Status("VmHWM:");

    private static long Status(string name) =>
        long.Parse(File.ReadLines("/proc/self/status").First(line => line.StartsWith(name, StringComparison.Ordinal))[name.Length..^2], NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture) * 1024;

    private static void Say(string what, string result) => Console.WriteLine($"{what,-46} {result}");
}
