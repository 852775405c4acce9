using System.Net;
using BenchmarkDotNet.Attributes;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;

namespace Ztunnel.Microbenchmarks.Mesh;

/// <summary>What does one policy evaluation cost with 10,000 policies in the workload's namespace, when the last of them allows and when none does?</summary>
[MemoryDiagnoser]
public class PolicyEvaluationBenchmarks
{
    private readonly Workload _destination = BenchMesh.Pod("server", 1);
    private readonly IPEndPoint _target = new(BenchMesh.Address(1), 8080);
    private MeshSnapshot _mesh = MeshSnapshot.Empty;
    private PolicyConnection _allowed;
    private PolicyConnection _refused;

    [Params(1, 100, 1_000, 10_000)]
    public int Policies { get; set; }

    [GlobalSetup]
    public void Start()
    {
        var update = new MeshUpdate();
        update.Workloads.Add(_destination);
        for (int index = 0; index < Policies; index++)
        {
            update.Policies.Add(Allow($"allow-{index}", $"cluster.local/ns/default/sa/client-{index}"));
        }

        var store = new MeshStore("node-1");
        store.Apply(update);
        _mesh = store.Current;
        _allowed = From($"client-{Policies - 1}");
        _refused = From("stranger");
    }

    [Benchmark]
    public bool Allowed() => Expect(_allowed, allowed: true);

    [Benchmark]
    public bool Refused() => Expect(_refused, allowed: false);

    private static Policy Allow(string name, string principal) => new()
    {
        Name = name,
        Namespace = "default",
        Scope = PolicyScope.Namespace,
        Action = PolicyAction.Allow,
        Rules =
        [
            new PolicyRule(
            [
                new PolicyClause([new PolicyMatch { Principals = [StringMatch.Exact(principal)] }]),
                new PolicyClause([new PolicyMatch { DestinationPorts = [8080] }]),
            ]),
        ],
    };

    private PolicyConnection From(string account) => new(new SpiffeId("cluster.local", "default", account), BenchMesh.Address(2), _target);

    private bool Expect(in PolicyConnection connection, bool allowed)
    {
        PolicyDecision decision = PolicyEvaluator.Evaluate(_mesh, _destination, connection, PolicySettings.Default);
        return decision.Allowed == allowed ? allowed : throw new InvalidOperationException($"{decision.Outcome} {decision.Reason}");
    }
}
