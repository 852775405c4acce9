using System.Runtime.CompilerServices;
using System.Text.Json;
using Ztunnel.Mesh.State;

namespace Ztunnel.Http.Dump;

/// <summary><c>stagedServices</c>: endpoints of services that have not arrived.</summary>
internal sealed class StagedSection(MeshStore mesh) : IDumpSection
{
    public string Key => "stagedServices";

    public async IAsyncEnumerable<DumpPoint> WriteAsync(Utf8JsonWriter json, [EnumeratorCancellation] CancellationToken cancellation)
    {
        json.WriteStartObject(Key);
        foreach (ServiceEndpoints staged in mesh.Current.StagedServices.OrderBy(static staged => staged.Key.ToString(), StringComparer.Ordinal))
        {
            json.WritePropertyName(staged.Key.ToString());
            MeshJson.WriteEndpoints(json, staged.All);
            yield return default;
        }

        json.WriteEndObject();
        await ValueTask.CompletedTask.ConfigureAwait(false);
    }
}
