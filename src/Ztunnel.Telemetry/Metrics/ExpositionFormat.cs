namespace Ztunnel.Telemetry.Metrics;

/// <summary>
/// The two forms of a scrape (data-path 8.1). They hold the same samples. Headers differ: text names a counter with <c>_total</c>, as its samples are named, and knows no units. The existing program sends
/// OpenMetrics under both content types, so that whoever reads it as text finds every counter untyped and without help.
/// </summary>
public static class ExpositionFormat
{
    public const string Text = "text/plain; charset=utf-8";
    public const string OpenMetrics = "application/openmetrics-text;charset=utf-8;version=1.0.0";

    private const string OpenMetricsMediaType = "application/openmetrics-text";

    /// <summary>OpenMetrics if any item of any Accept header names it; q-values and parameters are not looked at. Blanks around an item are allowed.</summary>
    public static string Negotiate(IEnumerable<string?> acceptHeaders)
    {
        foreach (string? header in acceptHeaders)
        {
            foreach (Range item in header.AsSpan().Split(','))
            {
                ReadOnlySpan<char> mediaType = header.AsSpan()[item];
                int parameters = mediaType.IndexOf(';');
                if (parameters >= 0)
                    mediaType = mediaType[..parameters];
                if (mediaType.Trim().Equals(OpenMetricsMediaType, StringComparison.OrdinalIgnoreCase))
                    return OpenMetrics;
            }
        }

        return Text;
    }
}
