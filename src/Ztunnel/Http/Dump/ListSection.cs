using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Ztunnel.Http.Dump;

/// <summary>A section that is a list: its items are gathered when it begins, and written one by one.</summary>
public sealed class ListSection<T>(string key, Func<IEnumerable<T>> items, Action<Utf8JsonWriter, T> write) : IDumpSection
{
    public string Key { get; } = key;

    public async IAsyncEnumerable<DumpPoint> WriteAsync(Utf8JsonWriter json, [EnumeratorCancellation] CancellationToken cancellation)
    {
        json.WriteStartArray(Key);
        foreach (T item in items())
        {
            write(json, item);
            yield return default;
        }

        json.WriteEndArray();
        await ValueTask.CompletedTask.ConfigureAwait(false);
    }
}
