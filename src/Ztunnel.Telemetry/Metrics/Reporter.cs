namespace Ztunnel.Telemetry.Metrics;

/// <summary>Which side of a connection reports it: <c>source</c> for outbound and socks5, <c>destination</c> for inbound.</summary>
public enum Reporter
{
    Source,
    Destination,
}

/// <summary>The words of <see cref="Reporter"/>.</summary>
public static class ReporterText
{
    /// <summary>The label value.</summary>
    public static string Label(Reporter reporter) => reporter == Reporter.Source ? "source" : "destination";

    /// <summary>The word of the access log.</summary>
    public static string Direction(Reporter reporter) => reporter == Reporter.Source ? "outbound" : "inbound";
}
