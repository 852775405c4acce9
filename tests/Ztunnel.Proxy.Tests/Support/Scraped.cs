using System.Buffers;
using System.Text;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy.Tests.Support;

/// <summary>What a scrape says.</summary>
internal static class Scraped
{
    /// <summary>The sample lines that begin with <paramref name="prefix"/>.</summary>
    public static string[] Lines(MetricRegistry metrics, string prefix)
    {
        var buffer = new ArrayBufferWriter<byte>();
        metrics.Write(buffer);
        return [.. Encoding.UTF8.GetString(buffer.WrittenSpan).Split('\n').Where(line => line.StartsWith(prefix, StringComparison.Ordinal))];
    }
}
