using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Ztunnel.Telemetry.Logging;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Telemetry.Tests.Logging;

public sealed class AccessLogTests
{
    /// <summary>Every access line of the recorded scenarios, built again from its own values, comes out byte for byte.</summary>
    [Theory]
    [InlineData(LogFormat.Plain, "access.plain.txt")]
    [InlineData(LogFormat.Json, "access.json.txt")]
    public async Task Write_ReferenceConnections_GivesSameLines(LogFormat format, string fixture)
    {
        string[] lines = Fixture.Lines(fixture);
        await using var log = new LogFixture(format, "debug");

        foreach (string line in lines)
            Replay(log, format == LogFormat.Plain ? ReadPlain(line) : ReadJson(line));

        Assert.Equal(lines, (await log.StopAsync()).TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public async Task Complete_WithOurFields_PutsThemBehindAllOthers()
    {
        await using var log = new LogFixture(LogFormat.Plain);
        log.Access.Complete(Record() with
        {
            Error = "http status: 503 Service Unavailable",
            ResponseFlag = ResponseFlag.Connect,
            Reason = "upstream_refused",
            TraceId = UInt128.Parse("0bb71334ee3f0bfcf17017b1b48bef63", NumberStyles.HexNumber, CultureInfo.InvariantCulture),
            Attempts = 3,
        });

        Assert.EndsWith(
            "duration=\"13ms\" error=\"http status: 503 Service Unavailable\" response_flags=\"CONNECT\" reason=\"upstream_refused\" trace_id=0bb71334ee3f0bfcf17017b1b48bef63 attempts=3\n",
            await log.StopAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Reporter.Source, "direction=\"outbound\" bytes_sent=11 bytes_recv=22")]
    [InlineData(Reporter.Destination, "direction=\"inbound\" bytes_sent=22 bytes_recv=11")]
    public async Task Complete_Bytes_AreSeenFromTheReporter(Reporter reporter, string expected)
    {
        await using var log = new LogFixture(LogFormat.Plain);
        log.Access.Complete(Record(reporter) with { ReceivedBytes = 11, SentBytes = 22 });

        Assert.Contains(expected, await log.StopAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Complete_UnknownWorkload_FallsBackToCanonicalServiceOrSaysNothing()
    {
        await using var log = new LogFixture(LogFormat.Plain);
        log.Access.Complete(Record());

        string line = await log.StopAsync();
        Assert.Contains("src.workload=\"source-service\"", line, StringComparison.Ordinal);
        Assert.DoesNotContain("unknown", line, StringComparison.Ordinal);
        Assert.DoesNotContain("dst.workload", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Complete_TargetOff_WritesNothing()
    {
        await using var log = new LogFixture(LogFormat.Plain, "info,access=off");
        log.Access.Complete(Record());

        Assert.False(log.Access.IsEnabled(LogSeverity.Error));
        Assert.Equal("", await log.StopAsync());
    }

    [Theory]
    [InlineData("a \"b\" \\ \n\r\t", "\"a \\\"b\\\" \\\\ \\n\\r\\t\"", "\"a \\\"b\\\" \\\\ \\n\\r\\t\"")]
    [InlineData("\u001b[31m\u0000\u0085", "\"\\u{1b}[31m\\u{0}\\u{85}\"", "\"\\u001b[31m\\u0000\\u0085\"")]
    [InlineData("Grüße ✓", "\"Grüße ✓\"", "\"Grüße ✓\"")]
    public async Task Error_WithAnyCharacters_StaysOneField(string error, string plain, string json)
    {
        foreach ((LogFormat format, string expected) in new[] { (LogFormat.Plain, "error=" + plain + "\n"), (LogFormat.Json, "\"error\":" + json + "}\n") })
        {
            await using var log = new LogFixture(format);
            log.Access.Complete(Record() with { Error = error });

            string line = await log.StopAsync();
            Assert.EndsWith(expected, line, StringComparison.Ordinal);
            if (format == LogFormat.Json)
                Assert.Equal(error, JsonDocument.Parse(line).RootElement.GetProperty("error").GetString());
        }
    }

    private static AccessRecord Record(Reporter reporter = Reporter.Source) => new()
    {
        Labels = new TrafficLabels(reporter, WorkloadLabels.FromRecord("w", "source-service", null, "ns", null, null, null), null, null, null, null, mutualTls: true),
        Source = new IPEndPoint(IPAddress.Parse("10.0.1.5"), 40000),
        Duration = TimeSpan.FromMilliseconds(13.9),
    };

    private static void Replay(LogFixture log, Dictionary<string, string> fields)
    {
        string? Field(string name) => fields.GetValueOrDefault(name);
        IPEndPoint? Address(string name) => Field(name) is { } text ? IPEndPoint.Parse(text) : null;
        log.Clock.Now = DateTimeOffset.Parse(fields["time"], CultureInfo.InvariantCulture);
        Reporter reporter = fields["direction"] == "outbound" ? Reporter.Source : Reporter.Destination;
        if (fields["message"] == "connection failed")
        {
            log.Access.Denied(new DenialRecord { Reporter = reporter, Source = Address("src.addr")!, Destination = Address("dst.addr"), Error = fields["error"] });
            return;
        }

        bool tunnel = fields.ContainsKey("dst.hbone_addr");
        long sent = long.Parse(Field("bytes_sent") ?? "0", CultureInfo.InvariantCulture);
        long received = long.Parse(Field("bytes_recv") ?? "0", CultureInfo.InvariantCulture);
        var record = new AccessRecord
        {
            Labels = new TrafficLabels(
                reporter,
                WorkloadLabels.FromRecord("x", null, null, Field("src.namespace"), Field("src.cluster"), null, null), Field("src.identity"),
                WorkloadLabels.FromRecord("x", null, null, Field("dst.namespace"), Field("dst.cluster"), null, null), Field("dst.identity"),
                new ServiceLabels(Field("dst.service"), null, null), tunnel),
            Source = Address("src.addr")!,
            SourceWorkload = Field("src.workload"),
            Destination = Address("dst.addr"),
            HboneAuthority = Field("dst.hbone_addr"),
            DestinationWorkload = Field("dst.workload"),
            ReceivedBytes = reporter == Reporter.Source ? sent : received,
            SentBytes = reporter == Reporter.Source ? received : sent,
            Duration = TimeSpan.FromMilliseconds(int.Parse((Field("duration") ?? "0ms")[..^2], CultureInfo.InvariantCulture)),
            Error = Field("error"),
        };
        if (fields["message"] == "connection opened")
            log.Access.Opened(record);
        else
            log.Access.Complete(record);
    }

    private static Dictionary<string, string> ReadPlain(string line)
    {
        string[] columns = line.Split('\t');
        Dictionary<string, string> fields = new() { ["time"] = columns[0], ["message"] = columns[3] };
        string text = columns[4];
        for (int position = 0; position < text.Length; position++)
        {
            int equals = text.IndexOf('=', position);
            var value = new StringBuilder();
            bool quoted = text[equals + 1] == '"';
            int at = equals + (quoted ? 2 : 1);
            for (; at < text.Length && text[at] != (quoted ? '"' : ' '); at++)
            {
                if (quoted && text[at] == '\\')
                    at++;
                value.Append(text[at]);
            }

            fields.Add(text[position..equals], value.ToString());
            position = quoted ? at + 1 : at;
        }

        return fields;
    }

    private static Dictionary<string, string> ReadJson(string line) =>
        JsonDocument.Parse(line).RootElement.EnumerateObject().ToDictionary(static field => field.Name, static field => field.Value.ToString());
}
