using System.Text.Json.Nodes;
using Ztunnel.ControlPlane.LocalFile;
using Ztunnel.ControlPlane.Tests.Support;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;

namespace Ztunnel.ControlPlane.Tests.Xds;

/// <summary>The original's config_dump after a recorded step, as a mesh. Its form is that of the local file, except that a workload only names its services.</summary>
internal static class RecordedDump
{
    public static LocalMesh Read(string folder)
    {
        JsonNode dump = JsonNode.Parse(Fixture.Text($"xds/{folder}/config_dump.json"))!;
        foreach (JsonNode? workload in dump["workloads"]!.AsArray())
        {
            JsonObject services = [];
            foreach (JsonNode? service in workload!["services"]?.AsArray() ?? []) services[service!.GetValue<string>()] = new JsonObject();
            workload["services"] = services;
        }
        JsonObject file = new()
        {
            ["workloads"] = dump["workloads"]!.DeepClone(),
            ["services"] = dump["services"]!.DeepClone(),
            ["policies"] = dump["policies"]!.DeepClone(),
        };
        using StringReader text = new(file.ToJsonString());
        return LocalFileReader.Read(text, folder);
    }

    /// <summary>Compares resource by resource and field by field.</summary>
    public static void AssertHolds(this MeshSnapshot mesh, LocalMesh expected)
    {
        Assert.Equal(expected.Workloads.Select(static w => w.Uid).Order(StringComparer.Ordinal), mesh.Workloads.Select(static w => w.Uid).Order(StringComparer.Ordinal));
        foreach (Workload workload in expected.Workloads)
        {
            Workload ours = mesh.FindWorkloadByUid(workload.Uid)!;
            Assert.Equal(WithoutServices(workload), WithoutServices(ours));
            Assert.Equal(Names(workload), Names(ours));
        }

        Assert.Equal(expected.Services.Select(static s => s.Key.ToString()).Order(StringComparer.Ordinal), mesh.Services.Select(static s => s.Key.ToString()).Order(StringComparer.Ordinal));
        foreach (Service service in expected.Services)
        {
            ServiceEndpoints ours = mesh.FindEndpoints(service.Key)!;
            Assert.Equal(service with { Endpoints = [] }, ours.Service);
            Assert.Equal(
                service.Endpoints.OrderBy(static e => e.WorkloadUid, StringComparer.Ordinal),
                ours.Included.Select(static e => new Endpoint(e.Workload.Uid, e.Ports, e.Status)).OrderBy(static e => e.WorkloadUid, StringComparer.Ordinal));
        }

        Assert.Equal(expected.Policies.OrderBy(static p => p.Key, StringComparer.Ordinal), mesh.AllPolicies.OrderBy(static p => p.Key, StringComparer.Ordinal));
    }

    private static Workload WithoutServices(Workload workload) => workload with { Traits = workload.Traits with { Services = [] } };

    private static IEnumerable<string> Names(Workload workload) => workload.Services.Select(static s => s.Service.ToString()).Order(StringComparer.Ordinal);
}
