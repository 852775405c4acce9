using System.Text.Json;

namespace Ztunnel.Http.Dump;

/// <summary>A section small enough to be written in one go.</summary>
public sealed class ValueSection(string key, Action<Utf8JsonWriter> write) : IDumpSection
{
    public string Key { get; } = key;

    public async IAsyncEnumerable<DumpPoint> WriteAsync(Utf8JsonWriter json, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        json.WritePropertyName(Key);
        write(json);
        await ValueTask.CompletedTask.ConfigureAwait(false);
        yield return default;
    }
}
