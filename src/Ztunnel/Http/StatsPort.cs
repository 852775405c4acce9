using System.IO.Compression;
using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Http;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Http;

/// <summary>15020: the metrics (data-path 8.1).</summary>
public sealed class StatsPort(IReadOnlyList<IPEndPoint> addresses, MetricRegistry metrics) : IHttpPort
{
    public string Component => "stats";

    public IReadOnlyList<IPEndPoint> Addresses { get; } = addresses;

    public async Task AnswerAsync(HttpContext context)
    {
        if (context.Request.Path.Value is not ("/metrics" or "/stats/prometheus"))
        {
            await context.AnswerEmptyAsync(StatusCodes.Status404NotFound).ConfigureAwait(false);
            return;
        }

        string format = ExpositionFormat.Negotiate(context.Request.Headers.Accept);
        bool openMetrics = format == ExpositionFormat.OpenMetrics;
        context.Response.Headers.ContentType = format;
        context.Response.Headers.Vary = "accept-encoding";
        if (Compress(context) is not { } compressed)
        {
            // Memory asked for before the response has started is not the pipe's own and must be advanced before the start: a piece-wise writer would mix the two.
            await context.Response.StartAsync(context.RequestAborted).ConfigureAwait(false);
            await metrics.WriteAsync(context.Response.BodyWriter, openMetrics, context.RequestAborted).ConfigureAwait(false);
            return;
        }

        await using (compressed.ConfigureAwait(false))
        {
            PipeWriter writer = PipeWriter.Create(compressed);
            await metrics.WriteAsync(writer, openMetrics, context.RequestAborted).ConfigureAwait(false);
            await writer.CompleteAsync().ConfigureAwait(false);
        }
    }

    // The cheapest that the scraper understands: this runs beside the proxy, and the network to the scraper is short. (zstd is not in this runtime.)
    private static Stream? Compress(HttpContext context)
    {
        HashSet<string> accepted = [];
        foreach (string item in context.Request.Headers.AcceptEncoding.ToString().Split(',', StringSplitOptions.TrimEntries))
        {
            string[] parts = item.Split(';', StringSplitOptions.TrimEntries);
            if (!parts.Skip(1).Any(static parameter => parameter is "q=0" or "q=0.0" or "q=0.00" or "q=0.000"))
                accepted.Add(parts[0].ToLowerInvariant());
        }

        (string Name, Func<Stream, Stream> Open)? encoding =
            accepted.Contains("gzip") ? ("gzip", static body => new GZipStream(body, CompressionLevel.Fastest, leaveOpen: true))
            : accepted.Contains("br") ? ("br", static body => new BrotliStream(body, CompressionLevel.Fastest, leaveOpen: true))
            : accepted.Contains("deflate") ? ("deflate", static body => new ZLibStream(body, CompressionLevel.Fastest, leaveOpen: true))
            : null;
        if (encoding is not { } chosen)
            return null;
        context.Response.Headers.ContentEncoding = chosen.Name;
        return chosen.Open(context.Response.Body);
    }
}
