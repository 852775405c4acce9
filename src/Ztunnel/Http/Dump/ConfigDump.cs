using System.Buffers;
using System.IO.Pipelines;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Ztunnel.Http.Dump;

/// <summary>
/// <c>/config_dump</c>: the whole state as JSON for istioctl and people (control-path 9.2, istio-integration 8.2). Sections are written straight to the client, in pieces: the answer for a large mesh is a hundred megabytes.
/// </summary>
public sealed class ConfigDump : IConfigDump
{
    private const int FlushBytes = 64 * 1024;

    // Keys in alphabetical order, as the existing program has them.
    private readonly IReadOnlyList<IDumpSection> _sections;

    public ConfigDump(IEnumerable<IDumpSection> sections) => _sections = [.. sections.OrderBy(static section => section.Key, StringComparer.Ordinal)];

    public async Task AnswerAsync(HttpContext context)
    {
        context.Response.Headers.ContentType = "application/json";
        await WriteAsync(context.Response.BodyWriter, context.RequestAborted).ConfigureAwait(false);
    }

    public async Task WriteAsync(PipeWriter output, CancellationToken cancellation)
    {
        // Loopback only, read by programs: quotes and angle brackets need no escapes beyond JSON's own.
        var options = new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        await using var json = new Utf8JsonWriter((IBufferWriter<byte>)output, options);
        json.WriteStartObject();
        foreach (IDumpSection section in _sections)
        {
            await foreach (DumpPoint _ in section.WriteAsync(json, cancellation).ConfigureAwait(false))
            {
                if (json.BytesPending + output.UnflushedBytes < FlushBytes)
                    continue;
                await json.FlushAsync(cancellation).ConfigureAwait(false);
                await output.FlushAsync(cancellation).ConfigureAwait(false);
            }
        }

        json.WriteEndObject();
        await json.FlushAsync(cancellation).ConfigureAwait(false);
        await output.FlushAsync(cancellation).ConfigureAwait(false);
    }
}

/// <summary>One key of the dump and its value, written item by item.</summary>
public interface IDumpSection
{
    string Key { get; }

    /// <summary>Writes property name and value. Between two items it yields, so that what was written may leave.</summary>
    IAsyncEnumerable<DumpPoint> WriteAsync(Utf8JsonWriter json, CancellationToken cancellation);
}

/// <summary>A place between two items.</summary>
public readonly record struct DumpPoint;
