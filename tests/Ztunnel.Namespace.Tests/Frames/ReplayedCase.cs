using System.Text.Json;
using System.Text.RegularExpressions;

namespace Ztunnel.Namespace.Tests.Frames;

/// <summary>One recorded case and what came of its replay, as replay.py tells it.</summary>
internal sealed partial record ReplayedCase(string Case, string[] Recorded, string[] Actual, bool RecordedNewTunnel, bool NewTunnel, string Settings)
{
    private static readonly JsonSerializerOptions Options = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static ReplayedCase Parse(string line) => JsonSerializer.Deserialize<ReplayedCase>(line, Options)!;

    /// <summary>Frames in one line; what differs from run to run is replaced.</summary>
    public static string Describe(string[] frames) => TraceIds().Replace(SourcePort().Replace(string.Join(" / ", frames), "for=\"$1:PORT\""), "traceparent=00-TRACE-SPAN-00");

    [GeneratedRegex("for=\"([0-9.]+):[0-9]+\"")]
    private static partial Regex SourcePort();

    [GeneratedRegex("traceparent=00-[0-9a-f]{32}-[0-9a-f]{16}-00")]
    private static partial Regex TraceIds();
}
