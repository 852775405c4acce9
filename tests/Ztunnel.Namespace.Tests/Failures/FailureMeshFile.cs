using System.Text;
using Ztunnel.Namespace.Tests.Network;

namespace Ztunnel.Namespace.Tests.Failures;

/// <summary>The addresses of the failure matrix, and its mesh as a local file: each case has a workload for itself, and a service whose preferred endpoint fails while a farther one serves.</summary>
internal static class FailureMeshFile
{
    public const string ClientAddress = "10.213.0.10";

    /// <summary>The endpoint that all services have and that is well.</summary>
    public const string ServingAddress = "10.213.3.1";

    public static string AddressOf(FailureCase failure, bool isAlternative) => $"10.213.{(isAlternative && !failure.IsApplication ? 2 : 1)}.{Number(failure)}";

    public static string VipOf(FailureCase failure) => $"10.214.0.{Number(failure)}";

    public static string HostnameOf(FailureCase failure) => $"{failure.Name}.default.svc.cluster.local";

    public static string Text(IEnumerable<TestPod> pods)
    {
        var text = new StringBuilder("workloads:\n");
        foreach (TestPod pod in pods)
        {
            FailureCase? failure = FailureCase.All.SingleOrDefault(each => each.Name == pod.Name);
            AppendWorkload(text, pod.Name, pod.Address, pod.Node, "near", pod.Name, failure is null ? [] : [failure]);
        }

        foreach (FailureCase failure in FailureCase.All.Where(static each => !each.IsApplication))
        {
            AppendWorkload(text, failure.Name, AddressOf(failure, isAlternative: false), "", "near", "peer", []);
            AppendWorkload(text, failure.Name + "-preferred", AddressOf(failure, isAlternative: true), "", "near", "peer", [failure]);
        }

        AppendWorkload(text, "serving", ServingAddress, "", "far", "peer", FailureCase.All);
        text.Append("services:\n");
        foreach (FailureCase failure in FailureCase.All)
        {
            text.Append($$"""
                - name: {{failure.Name}}
                  namespace: default
                  hostname: {{HostnameOf(failure)}}
                  vips: ["/{{VipOf(failure)}}"]
                  ports: {80: {{failure.ApplicationPort}}}
                  loadBalancer: {routingPreferences: [Region], mode: Failover, healthPolicy: OnlyHealthy}

                """);
        }

        return text.ToString();
    }

    private static void AppendWorkload(StringBuilder text, string name, string address, string node, string region, string account, IEnumerable<FailureCase> services) => text.Append($$"""
        - uid: "test//Pod/default/{{name}}"
          name: {{name}}
          namespace: default
          serviceAccount: {{account}}
          trustDomain: cluster.local
          clusterId: Kubernetes
          workloadName: {{name}}
          workloadType: deployment
          canonicalName: {{name}}
          canonicalRevision: v1
          network: ""
          node: "{{node}}"
          locality: {region: {{region}}, zone: "", subzone: ""}
          workloadIps: ["{{address}}"]
          protocol: HBONE
          services: {{{string.Join(", ", services.Select(static each => $"\"default/{HostnameOf(each)}\": {{80: {each.ApplicationPort}}}"))}}}
          authorizationPolicies: []

        """);

    private static int Number(FailureCase failure)
    {
        int index = 0;
        while (FailureCase.All[index] != failure)
            index++;
        return index + 1;
    }
}
