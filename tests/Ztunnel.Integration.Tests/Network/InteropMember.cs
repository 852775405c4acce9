using System.Globalization;
using Ztunnel.Testing;

namespace Ztunnel.Integration.Tests.Network;

/// <summary>A workload of the test mesh.</summary>
/// <param name="Name">Also its service account.</param>
/// <param name="Number">The last byte of its address.</param>
/// <param name="Node">The node that serves it; empty for those that foreign programs serve.</param>
internal sealed record InteropMember(string Name, int Number, string Node = "")
{
    public string Address => string.Create(CultureInfo.InvariantCulture, $"10.203.0.{Number}");

    public string Identity => IdentityOf(Name);

    /// <summary>The endpoint's ports of the one service there is.</summary>
    public string ServicePorts { get; init; } = "";

    public string Service { get; init; } = InteropMesh.Hostname;

    public static string IdentityOf(string account) => $"spiffe://cluster.local/ns/default/sa/{account}";

    /// <summary>Key and chain in one file, as foreign programs take them.</summary>
    public static string WriteCertificate(string folder, string name, IssuedCertificate certificate)
    {
        string path = Path.Combine(folder, name + ".pem");
        File.WriteAllText(path, $"{certificate.KeyPem}\n{certificate.ChainPem}\n");
        return path;
    }

    public string ToYaml() => $$"""
        - uid: "test//Pod/default/{{Name}}"
          name: {{Name}}
          namespace: default
          serviceAccount: {{Name}}
          trustDomain: cluster.local
          clusterId: Kubernetes
          workloadName: {{Name}}
          workloadType: deployment
          canonicalName: {{Name}}
          canonicalRevision: v1
          network: ""
          node: "{{Node}}"
          workloadIps: ["{{Address}}"]
          protocol: HBONE
          services: {{(ServicePorts.Length > 0 ? $"{{\"default/{Service}\": {{{ServicePorts}}}}}" : "{}")}}
          authorizationPolicies: []

        """;
}
