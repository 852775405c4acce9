using System.Globalization;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Testing.Time;

namespace Ztunnel.Telemetry.Tests.Metrics;

/// <summary>What the existing program exported after a run, counted again with ours, comes out line for line.</summary>
public sealed class ReferenceScrapeTests
{
    [Theory]
    [InlineData("metrics-a.txt")]
    [InlineData("metrics-b.txt")]
    public void Write_TrafficOfReferenceRun_GivesSameLines(string fixture)
    {
        Exposition expected = Exposition.Read(Fixture.Lines(fixture));
        var registry = new MetricRegistry(new MetricSettings { Loops = 2 }, new ManualTimeProvider());
        registry.AddProcess(
            () => long.Parse(expected.Family("process_open_fds").Samples[0].Value, CultureInfo.InvariantCulture),
            () => long.Parse(expected.Family("process_max_fds").Samples[0].Value, CultureInfo.InvariantCulture));
        registry.AddBuild("unknown");
        _ = new XdsMetrics(registry);
        var traffic = new TrafficMetrics(registry);
        _ = new DnsMetrics(registry);
        Replay(expected, traffic);

        Exposition actual = Exposition.Scrape(registry);

        // Its runtime's own figures (tokio_*) are the one thing ours does not have.
        List<ExpositionFamily> families = [.. expected.Families.Where(static family => !family.Name.StartsWith("tokio_", StringComparison.Ordinal))];
        Assert.Equal(families.Select(static family => family.Name), actual.Families.Select(static family => family.Name));
        foreach ((ExpositionFamily reference, ExpositionFamily ours) in families.Zip(actual.Families))
        {
            Assert.Equal(reference.Header, ours.Header);
            // The reference writes the series of a family in the order of a hash table.
            Assert.Equal(reference.Samples.Select(static sample => sample.Line).Order(), ours.Samples.Select(static sample => sample.Line).Order());
        }
    }

    [Fact]
    public void Write_DnsOfReferenceRun_GivesSameLines()
    {
        Exposition expected = Exposition.Read(Fixture.Lines("metrics-dns.txt"));
        var registry = new MetricRegistry(new MetricSettings { Loops = 1 }, new ManualTimeProvider());
        var dns = new DnsMetrics(registry);
        foreach (ExpositionSample sample in expected.Family("istio_dns_requests").Samples)
        {
            for (int i = 0; i < Number(sample); i++)
                dns.Requested(0, Labels(sample));
        }

        ExpositionFamily durations = expected.Family("istio_dns_upstream_request_duration_seconds");
        foreach (ExpositionSample sample in expected.Family("istio_dns_upstream_requests").Samples)
        {
            long failures = expected.Family("istio_dns_upstream_failures").Samples.Where(failed => failed.Labels.SequenceEqual(sample.Labels)).Sum(Number);
            long fast = durations.Samples.Where(bucket => bucket.Labels.Contains(("le", "0.0005")) && sample.Labels.All(bucket.Labels.Contains)).Sum(Number);
            for (int i = 0; i < Number(sample); i++)
                dns.Forwarded(0, Labels(sample), TimeSpan.FromMicroseconds(i < fast ? 100 : 600), failed: i < failures);
        }

        Exposition actual = Exposition.Scrape(registry);

        Assert.Equal(expected.Families.Select(static family => family.Name), actual.Families.Select(static family => family.Name));
        foreach ((ExpositionFamily reference, ExpositionFamily ours) in expected.Families.Zip(actual.Families))
        {
            Assert.Equal(reference.Header, ours.Header);
            // Some of the reference's histograms were left out of the recording.
            Assert.Empty(reference.Samples.Select(Comparable).Except(ours.Samples.Select(Comparable)));
        }

        // Within a series: sum, count, then the buckets.
        Assert.Equal(["_sum", "_count", .. Enumerable.Repeat("_bucket", 7)], actual.Families[3].Samples.Take(9).Select(static sample => sample.Name[DurationPrefix..]));
    }

    private static readonly int DurationPrefix = "istio_dns_upstream_request_duration_seconds".Length;

    // Durations differ, so their sums do.
    private static string Comparable(ExpositionSample sample) => sample.Name.EndsWith("_sum", StringComparison.Ordinal) ? sample.Line[..^sample.Value.Length] : sample.Line;

    private static long Number(ExpositionSample sample) => long.Parse(sample.Value, CultureInfo.InvariantCulture);

    private static DnsLabels Labels(ExpositionSample sample) =>
        new(sample.Label("request_query_type"), sample.Label("request_protocol"), sample.Label("source_canonical_service"), sample.Label("source_canonical_revision"));

    private static void Replay(Exposition expected, TrafficMetrics traffic)
    {
        int loop = 0;
        foreach (ExpositionSample opened in expected.Family("istio_tcp_connections_opened").Samples)
        {
            var labels = ReadLabels(opened);
            List<TrafficConnection> connections = [];
            for (int i = 0; i < Number(opened); i++)
                connections.Add(traffic.Opened(loop = 1 - loop, ReadLabels(opened)));
            Assert.All(connections, connection => Assert.Equal(labels, connection.Labels));

            connections[0].AddReceived(Same(expected, "istio_tcp_received_bytes", opened).Sum(Number));
            connections[^1].AddSent(Same(expected, "istio_tcp_sent_bytes", opened).Sum(Number));
            int closed = 0;
            foreach (ExpositionSample sample in Same(expected, "istio_tcp_connections_closed", opened))
            {
                ResponseFlag flag = Enum.GetValues<ResponseFlag>().Single(candidate => ResponseFlagText.Word(candidate) == sample.Label("response_flags"));
                for (int i = 0; i < Number(sample); i++)
                    connections[closed++].Close(flag);
            }
        }

        ExpositionSample sockets = Assert.Single(expected.Family("istio_tcp_sockets_open").Samples);
        Reporter reporter = sockets.Label("reporter") == "source" ? Reporter.Source : Reporter.Destination;
        for (int i = 0; i < Number(sockets) + 2; i++)
            traffic.SocketOpened(0, reporter);
        traffic.SocketClosed(1, reporter);
        traffic.SocketClosed(0, reporter);
    }

    private static IEnumerable<ExpositionSample> Same(Exposition expected, string family, ExpositionSample opened) =>
        expected.Family(family).Samples.Where(sample => WithoutFlag(sample).SequenceEqual(WithoutFlag(opened)));

    private static IEnumerable<(string, string)> WithoutFlag(ExpositionSample sample) => sample.Labels.Where(static label => label.Name != "response_flags");

    private static TrafficLabels ReadLabels(ExpositionSample sample)
    {
        WorkloadLabels Workload(string side, string ns) => WorkloadLabels.FromRecord(
            sample.Label(side + "workload"), sample.Label(side + "canonical_service"), sample.Label(side + "canonical_revision"), sample.Label(ns), sample.Label(side + "cluster"),
            sample.Label(side + "region"), sample.Label(side + "zone"));
        return new TrafficLabels(
            sample.Label("reporter") == "source" ? Reporter.Source : Reporter.Destination,
            Workload("source_", "source_workload_namespace"), sample.Label("source_principal"),
            Workload("destination_", "destination_workload_namespace"), sample.Label("destination_principal"),
            new ServiceLabels(sample.Label("destination_service"), sample.Label("destination_service_namespace"), sample.Label("destination_service_name")),
            sample.Label("connection_security_policy") == "mutual_tls");
    }
}
