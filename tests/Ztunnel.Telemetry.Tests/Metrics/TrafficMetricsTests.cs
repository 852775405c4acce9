using Ztunnel.Telemetry.Metrics;
using Ztunnel.Testing.Time;

namespace Ztunnel.Telemetry.Tests.Metrics;

public sealed class TrafficMetricsTests
{
    private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(10);

    private readonly ManualTimeProvider _time = new();
    private readonly MetricRegistry _registry;
    private readonly TrafficMetrics _traffic;

    public TrafficMetricsTests()
    {
        _registry = new MetricRegistry(new MetricSettings { Loops = 2, QuietPeriod = Quiet }, _time);
        _traffic = new TrafficMetrics(_registry);
    }

    [Fact]
    public void Close_Twice_CountsOnce()
    {
        TrafficConnection connection = _traffic.Opened(0, Labels("a"));

        connection.Close(ResponseFlag.Deny);
        connection.Close(ResponseFlag.None);

        Exposition scrape = Exposition.Scrape(_registry);
        ExpositionSample closed = Assert.Single(scrape.Family("istio_tcp_connections_closed").Samples);
        Assert.Equal(("DENY", "1"), (closed.Label("response_flags"), closed.Value));
        Assert.Equal("DENY", Assert.Single(scrape.Family("istio_tcp_connections_failed").Samples).Label("response_flags"));
    }

    [Fact]
    public void Close_WithoutFlag_IsNoFailure()
    {
        _traffic.Opened(0, Labels("a")).Close(ResponseFlag.None);

        Assert.DoesNotContain(Exposition.Scrape(_registry).Families, static family => family.Name == "istio_tcp_connections_failed");
    }

    [Fact]
    public void Labels_MissingOrEmpty_AreUnknown()
    {
        _traffic.Opened(0, new TrafficLabels(Reporter.Source, null, "", null, null, null, mutualTls: false));

        ExpositionSample opened = Assert.Single(Exposition.Scrape(_registry).Family("istio_tcp_connections_opened").Samples);
        Assert.Equal(27, opened.Labels.Count);
        Assert.All(
            opened.Labels.Where(static label => label.Name is not ("reporter" or "request_protocol" or "response_flags")),
            static label => Assert.Equal("unknown", label.Value));
    }

    [Fact]
    public void Labels_FromBaggage_AppIsWorkloadName()
    {
        Assert.Equal("deployment", WorkloadLabels.FromBaggage("deployment", "service", "v1", "ns", "c", null, null).App);
        Assert.Equal("service", WorkloadLabels.FromRecord("deployment", "service", "v1", "ns", "c", null, null).App);
    }

    [Fact]
    public void Labels_WithQuotesAndLineFeeds_CannotForgeASample()
    {
        const string Hostile = "a\"} 7\nistio_tcp_connections_opened_total{x=\"\\";
        _traffic.Opened(0, Labels(Hostile));

        ExpositionSample opened = Assert.Single(Exposition.Scrape(_registry).Family("istio_tcp_connections_opened").Samples);
        Assert.Equal(Hostile, opened.Label("source_workload"));
    }

    [Fact]
    public void Series_QuietForThePeriod_Disappears()
    {
        TrafficConnection first = _traffic.Opened(0, Labels("a"));
        _traffic.Opened(1, Labels("a")).Close(ResponseFlag.None);
        first.Close(ResponseFlag.None);
        Assert.Equal(2, Exposition.Scrape(_registry).Value("istio_tcp_connections_opened_total"));

        _time.Advance(Quiet - TimeSpan.FromSeconds(1));
        Assert.Equal(2, Exposition.Scrape(_registry).Value("istio_tcp_connections_opened_total"));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Empty(Exposition.Scrape(_registry).Families);

        // Whoever comes back starts from zero, as a restarted program would.
        _traffic.Opened(0, Labels("a"));
        Assert.Equal(1, Exposition.Scrape(_registry).Value("istio_tcp_connections_opened_total"));
    }

    [Fact]
    public void Series_WithOpenConnection_StaysAndNeverGoesBack()
    {
        TrafficConnection open = _traffic.Opened(0, Labels("a"));
        for (int i = 0; i < 4; i++)
            _traffic.Opened(1, Labels("a")).Close(ResponseFlag.None);
        open.AddSent(100);
        Exposition.Scrape(_registry);

        _time.Advance(10 * Quiet);
        Assert.Equal(5, Exposition.Scrape(_registry).Value("istio_tcp_connections_opened_total"));

        _traffic.Opened(1, Labels("a")).Close(ResponseFlag.None);
        open.AddSent(1);
        Assert.Equal(6, Exposition.Scrape(_registry).Value("istio_tcp_connections_opened_total"));
        Assert.Equal(101, Exposition.Scrape(_registry).Value("istio_tcp_sent_bytes_total"));
    }

    [Fact]
    public void Series_TenThousandComeAndGo_NothingIsLeft()
    {
        for (int i = 0; i < 10_000; i++)
            _traffic.Opened(i % 2, Labels($"w{i}")).Close(ResponseFlag.None);
        Assert.Equal(10_000, Exposition.Scrape(_registry).Family("istio_tcp_connections_opened").Samples.Count);

        WeakReference sample = OneMore();
        _registry.Sweep();
        _time.Advance(Quiet);
        _registry.Sweep();
        _registry.Trim(0);
        _registry.Trim(1);

        Assert.Empty(Exposition.Scrape(_registry).Families);
        GC.Collect();
        Assert.False(sample.IsAlive, "the cells of a series that disappeared are still held");
    }

    [Fact]
    public async Task Opened_OnAllLoopsDuringScrapes_LosesNothing()
    {
        const int Connections = 20_000;
        TrafficConnection keeps = _traffic.Opened(0, Labels("shared"));
        keeps.AddReceived(1);
        Thread[] loops = [.. Enumerable.Range(0, 2).Select(loop => new Thread(() =>
        {
            for (int i = 0; i < Connections; i++)
            {
                TrafficConnection connection = _traffic.Opened(loop, Labels("shared"));
                connection.AddReceived(3);
                connection.Close(ResponseFlag.None);
            }
        }))];
        // Loop 0 is one thread: the connection above was opened before it started and is closed after it ended.
        Array.ForEach(loops, static loop => loop.Start());
        using var ended = new CancellationTokenSource();
        Task scrapes = Task.Run(() =>
        {
            long last = 0;
            while (!ended.IsCancellationRequested)
            {
                _time.Advance(Quiet);
                long now = Exposition.Scrape(_registry).Value("istio_tcp_received_bytes_total");
                Assert.True(now >= last, $"{now} after {last}");
                last = now;
            }
        });
        Array.ForEach(loops, static loop => Assert.True(loop.Join(TimeSpan.FromSeconds(10))));
        await ended.CancelAsync();
        await scrapes.WaitAsync(TimeSpan.FromSeconds(10));

        Assert.Equal(2 * 3 * Connections + 1, Exposition.Scrape(_registry).Value("istio_tcp_received_bytes_total"));
        Assert.Equal(2 * Connections, Exposition.Scrape(_registry).Value("istio_tcp_connections_closed_total"));
        keeps.Close(ResponseFlag.None);
    }

    [Fact]
    public void DroppedLabels_SeriesThatDifferOnlyThere_AreOne()
    {
        var registry = new MetricRegistry(new MetricSettings { Loops = 1, DroppedTrafficLabels = ["source_workload", "destination_principal"] }, _time);
        var traffic = new TrafficMetrics(registry);
        TrafficConnection first = traffic.Opened(0, Labels("a"));
        traffic.Opened(0, Labels("b"));

        ExpositionSample opened = Assert.Single(Exposition.Scrape(registry).Family("istio_tcp_connections_opened").Samples);
        Assert.Equal("2", opened.Value);
        Assert.DoesNotContain(opened.Labels, static label => label.Name is "source_workload" or "destination_principal");
        Assert.Equal("a", first.Labels.Source.Workload);
    }

    [Theory]
    [InlineData("reporter")]
    [InlineData("response_flags")]
    public void DroppedLabels_OfOppositeMeaning_AreRefused(string label)
    {
        var registry = new MetricRegistry(new MetricSettings { Loops = 1, DroppedTrafficLabels = [label] }, _time);

        Assert.Throws<ArgumentException>(() => new TrafficMetrics(registry));
    }

    [Fact]
    public void OnDemandDnsAndRevocation_HaveTheirLabels()
    {
        _traffic.OnDemandDns(0, new OnDemandDnsLabels(WorkloadLabels.FromRecord("w", "s", "v1", "ns", "c", null, null), "spiffe://td/ns/ns/sa/w", "db.example.com"));
        _traffic.Revoked(Reporter.Destination);
        _traffic.RevocationUntracked(Reporter.Source);

        Exposition scrape = Exposition.Scrape(_registry);
        Assert.Equal(
            "istio_on_demand_dns_total{source_workload=\"w\",source_canonical_service=\"s\",source_canonical_revision=\"v1\",source_workload_namespace=\"ns\","
            + "source_principal=\"spiffe://td/ns/ns/sa/w\",source_app=\"s\",source_version=\"v1\",source_cluster=\"c\",hostname=\"db.example.com\"} 1",
            Assert.Single(scrape.Family("istio_on_demand_dns").Samples).Line);
        Assert.Equal("istio_crl_policy_rejections_total{reporter=\"destination\"} 1", Assert.Single(scrape.Family("istio_crl_policy_rejections").Samples).Line);
        Assert.Equal("istio_crl_untracked_connections_total{reporter=\"source\"} 1", Assert.Single(scrape.Family("istio_crl_untracked_connections").Samples).Line);
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private WeakReference OneMore()
    {
        TrafficConnection connection = _traffic.Opened(0, Labels("one more"));
        connection.Close(ResponseFlag.None);
        return new WeakReference(connection.Labels);
    }

    private static TrafficLabels Labels(string workload) =>
        new(Reporter.Source, WorkloadLabels.FromRecord(workload, "s", "v1", "ns", "c", "r", "z"), "spiffe://td/ns/ns/sa/" + workload.Length, null, null, null, mutualTls: true);
}
