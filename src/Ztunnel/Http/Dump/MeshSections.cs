using System.Text.Json;
using Ztunnel.ControlPlane.LocalFile;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;
using Ztunnel.Tls.Certificates;

namespace Ztunnel.Http.Dump;

/// <summary>The sections of the dump that show the mesh, certificates and build.</summary>
internal static class MeshSections
{
    public static IEnumerable<IDumpSection> Create(MeshStore mesh, CertificateStore certificates, Func<LocalMesh> localFile, BuildInfo build) =>
    [
        new ListSection<Workload>("workloads", () => mesh.Current.Workloads.OrderBy(static workload => workload.Uid, StringComparer.Ordinal), static (json, workload) => MeshJson.Write(json, workload, withPorts: false)),
        new ListSection<Service>(
            "services",
            () => mesh.Current.Services.OrderBy(static service => service.Hostname, StringComparer.Ordinal).ThenBy(static service => service.Namespace, StringComparer.Ordinal),
            (json, service) => MeshJson.Write(json, service, mesh.Current.FindEndpoints(service.Key)?.All ?? [])),
        new ListSection<Policy>("policies", () => mesh.Current.AllPolicies.OrderBy(static policy => policy.Key, StringComparer.Ordinal), PolicyJson.Write),
        new StagedSection(mesh),
        new ListSection<CertificateStatus>("certificates", () => certificates.Snapshot(), CertificateJson.Write),
        new LocalFileSection(localFile),
        new ValueSection("version", json => Write(json, build)),
    ];

    private static void Write(Utf8JsonWriter json, BuildInfo build)
    {
        json.WriteStartObject();
        json.WriteString("buildProfile", build.BuildProfile);
        json.WriteString("buildStatus", build.BuildStatus);
        json.WriteString("cryptoProvider", build.CryptoProvider);
        json.WriteString("gitRevision", build.GitRevision);
        json.WriteString("istioVersion", build.IstioVersion);
        json.WriteString("rustVersion", build.RuntimeVersion);
        json.WriteString("version", build.Version);
        json.WriteEndObject();
    }
}
