using System.Text;
using Ztunnel.Endurance.Network;

namespace Ztunnel.Endurance.Churn;

/// <summary>The mesh as it is at the moment, written as the file that the stand-in for istiod serves. What churn changes are properties; all else stays.</summary>
internal sealed class MeshState(string path)
{
    public const string ServiceVip = "10.215.0.10";
    public const string ServiceHost = "steady.default.svc.cluster.local";
    public const string PassingVip = "10.215.0.11";
    public const string EmptyVip = "10.215.0.12";

    /// <summary>A workload that no machine has.</summary>
    public const string GhostAddress = "10.214.2.77";

    private readonly Lock _lock = new();   // one file at a time

    public string Path => path;

    /// <summary>Whether delta is an endpoint of the service, and a healthy one.</summary>
    public bool DeltaServes { get; set; } = true;

    public bool DeltaIsHealthy { get; set; } = true;

    /// <summary>Label of metrics: a change of it begins new series.</summary>
    public string Revision { get; set; } = "v1";

    public bool GuardedAllowsGamma { get; set; }

    /// <summary>Workloads and services of elsewhere that nobody speaks to.</summary>
    public int Strangers { get; set; }

    /// <summary>Which of the policies that concern nobody's traffic are in force.</summary>
    public int Policies { get; set; }

    /// <summary>Puts the whole file in place at once.</summary>
    public void Write(IEnumerable<SoakPod> pods)
    {
        lock (_lock)
        {
            var text = new StringBuilder("workloads:\n");
            foreach (SoakPod pod in pods.Where(static pod => pod.Node.Length > 0))
                AppendWorkload(text, pod.Name, pod.Node, pod.Address.ToString());
            AppendWorkload(text, "ghost", "node-2", GhostAddress);
            for (int i = 0; i < Strangers; i++)
                AppendWorkload(text, $"stranger-{i}", "node-9", $"10.216.{i / 250}.{1 + (i % 250)}");
            text.Append("services:\n");
            AppendService(text, "steady", ServiceVip);
            AppendService(text, "passing", PassingVip);
            AppendService(text, "empty", EmptyVip);
            for (int i = 0; i < Strangers / 4; i++)
                AppendService(text, $"stranger-{i}", $"10.217.0.{1 + i}");
            text.Append("policies:\n");
            AppendPolicies(text);
            File.WriteAllText(path + ".new", text.ToString());
            File.Move(path + ".new", path, overwrite: true);
        }
    }

    private void AppendWorkload(StringBuilder text, string name, string node, string address)
    {
        const string Port = "{80: 8080}";
        string services = name switch
        {
            "gamma" => $"\"default/{ServiceHost}\": {Port}, \"default/passing.default.svc.cluster.local\": {Port}",
            "delta" when DeltaServes => $"\"default/{ServiceHost}\": {Port}",
            "early" or "late" => $"\"default/passing.default.svc.cluster.local\": {Port}",
            _ => "",
        };
        string status = name == "delta" && !DeltaIsHealthy ? "Unhealthy" : "Healthy";
        string policies = name == "guarded" ? "\"default/guard\"" : "";
        text.Append($$"""
            - {uid: "soak//Pod/default/{{name}}", name: {{name}}, namespace: default, serviceAccount: {{name}}, trustDomain: cluster.local, clusterId: soak, node: "{{node}}",
               workloadName: {{name}}, workloadType: deployment, canonicalName: {{name}}, canonicalRevision: {{Revision}}, network: "", protocol: HBONE, status: {{status}},
               workloadIps: ["{{address}}"], services: { {{services}} }, authorizationPolicies: [{{policies}}]}

            """);
    }

    private static void AppendService(StringBuilder text, string name, string vip) =>
        text.Append($$"""
            - {name: {{name}}, namespace: default, hostname: {{name}}.default.svc.cluster.local, vips: ["/{{vip}}"], ports: {80: 8080} }

            """);

    private void AppendPolicies(StringBuilder text)
    {
        string guests = GuardedAllowsGamma ? "{Exact: \"cluster.local/ns/default/sa/alpha\"}, {Exact: \"cluster.local/ns/default/sa/gamma\"}" : "{Exact: \"cluster.local/ns/default/sa/alpha\"}";
        Append("guard", "WorkloadSelector", "Allow", dryRun: false, $"principals: [{guests}]");
        string[] bystanders = ["destinationPorts: [9]", "principals: [{Exact: \"cluster.local/ns/default/sa/nobody\"}]", "sourceIps: [\"192.0.2.0/24\"]", "namespaces: [{Prefix: \"other\"}]"];
        for (int i = 0; i < bystanders.Length; i++)
        {
            if ((Policies & (1 << i)) != 0)
                Append($"deny-{i}", i % 2 == 0 ? "Namespace" : "Global", "Deny", dryRun: false, bystanders[i]);
            if ((Policies & (16 << i)) != 0)
                Append($"dry-{i}", i % 2 == 0 ? "Global" : "Namespace", i < 2 ? "Allow" : "Deny", dryRun: true, bystanders[i]);
        }

        void Append(string name, string scope, string action, bool dryRun, string match) =>
            text.Append($$"""
                - {name: {{name}}, namespace: default, scope: {{scope}}, action: {{action}}, dryRun: {{(dryRun ? "true" : "false")}}, rules: [[[{ {{match}} }]]]}

                """);
    }
}
