using System.Text;

namespace Ztunnel.Namespace.Tests.Network;

/// <summary>The mesh of the tests as a local file (control-path 2.5). Tests change who may call `guarded`; everything else stays.</summary>
internal sealed class MeshFile(string path)
{
    public const string Vip = "10.212.0.10";
    public const string Vip6 = "fd00:212::10";
    public const string Hostname = "server.default.svc.cluster.local";

    public string Path => path;

    /// <summary>One pod has an identity of another trust domain.</summary>
    public static string TrustDomainOf(string pod) => pod == "alien" ? "elsewhere.test" : "cluster.local";

    /// <summary>Writes the whole file and puts it in place at once.</summary>
    /// <param name="pods">Every pod; those without a node are known to the mesh but not captured.</param>
    /// <param name="guardedAllows">The service accounts that may call `guarded`.</param>
    public void Write(IEnumerable<TestPod> pods, params string[] guardedAllows)
    {
        var text = new StringBuilder("workloads:\n");
        foreach (TestPod pod in pods)
            text.Append(Workload(pod));
        text.Append($"""
            services:
            - name: server
              namespace: default
              hostname: {Hostname}
              vips: ["/{Vip}", "/{Vip6}"]
              ports: {Ports}
            policies:
            - name: guard
              namespace: default
              scope: WorkloadSelector
              action: Allow
              dryRun: false
              rules:
              - - - principals: [{string.Join(", ", guardedAllows.Select(static account => $"{{Exact: \"cluster.local/ns/default/sa/{account}\"}}"))}]

            """);
        File.WriteAllText(path + ".new", text.ToString());
        File.Move(path + ".new", path, overwrite: true);
    }

    // Service ports 80.. map to the ports of server.py.
    private static string Ports => "{80: 8080, 81: 8081, 84: 8084}";

    private static string Workload(TestPod pod) => $$"""
        - uid: "test//Pod/default/{{pod.Name}}"
          name: {{pod.Name}}
          namespace: default
          serviceAccount: {{pod.Name}}
          trustDomain: {{TrustDomainOf(pod.Name)}}
          clusterId: Kubernetes
          workloadName: {{pod.Name}}
          workloadType: deployment
          canonicalName: {{pod.Name}}
          canonicalRevision: v1
          network: ""
          node: "{{pod.Node}}"
          workloadIps: ["{{pod.Address}}", "{{pod.Address6}}"]
          protocol: {{(pod.Node == "" || !pod.IsEnrolled ? "TCP" : "HBONE")}}
          services: {{(pod.Name.StartsWith("server", StringComparison.Ordinal) ? $"{{\"default/{Hostname}\": {Ports}}}" : "{}")}}
          authorizationPolicies: [{{(pod.Name == "guarded" ? "\"default/guard\"" : "")}}]

        """;
}
