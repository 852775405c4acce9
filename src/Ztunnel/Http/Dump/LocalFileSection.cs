using System.Runtime.CompilerServices;
using System.Text.Json;
using Ztunnel.ControlPlane.LocalFile;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Http.Dump;

/// <summary><c>staticConfig</c>: what the local file says, item by item, since it may be as large as the mesh.</summary>
internal sealed class LocalFileSection(Func<LocalMesh> file) : IDumpSection
{
    public string Key => "staticConfig";

    public async IAsyncEnumerable<DumpPoint> WriteAsync(Utf8JsonWriter json, [EnumeratorCancellation] CancellationToken cancellation)
    {
        LocalMesh mesh = file();
        json.WriteStartObject(Key);
        json.WriteStartArray("policies");
        foreach (Policy policy in mesh.Policies)
        {
            PolicyJson.Write(json, policy);
            yield return default;
        }

        json.WriteEndArray();
        json.WriteStartArray("services");
        foreach (Service service in mesh.Services)
        {
            MeshJson.Write(json, service, []);
            yield return default;
        }

        json.WriteEndArray();
        json.WriteStartArray("workloads");
        foreach (Workload workload in mesh.Workloads)
        {
            MeshJson.Write(json, workload, withPorts: true);
            yield return default;
        }

        json.WriteEndArray();
        json.WriteEndObject();
        await ValueTask.CompletedTask.ConfigureAwait(false);
    }
}
