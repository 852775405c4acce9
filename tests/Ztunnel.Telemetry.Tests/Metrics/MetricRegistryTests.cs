using System.IO.Pipelines;
using System.Text;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Testing.Time;

namespace Ztunnel.Telemetry.Tests.Metrics;

public sealed class MetricRegistryTests
{
    private readonly MetricRegistry _registry = new(new MetricSettings { Loops = 3 }, new ManualTimeProvider());

    [Fact]
    public void Families_OfGroups_ComeInSpecifiedOrder()
    {
        _registry.AddCounter(MetricGroup.Ztunnel, "ztunnel_things", "Things (unstable)");
        _ = new WorkloadManagerMetrics(_registry);
        _ = new DnsMetrics(_registry);
        _ = new TrafficMetrics(_registry);
        _ = new XdsMetrics(_registry);
        _registry.AddBuild("1.2.3");
        _registry.AddProcess(static () => 1, static () => 2);

        Assert.Equal(
            [
                "process_open_fds", "process_max_fds", "istio_build",
                "istio_xds_connection_terminations", "istio_xds_message", "istio_xds_message_bytes",
                "istio_tcp_connections_opened", "istio_tcp_connections_closed", "istio_tcp_received_bytes", "istio_tcp_sent_bytes", "istio_tcp_connections_failed",
                "istio_tcp_sockets_open", "istio_on_demand_dns", "istio_crl_policy_rejections", "istio_crl_untracked_connections",
                "istio_dns_requests", "istio_dns_upstream_requests", "istio_dns_upstream_failures", "istio_dns_upstream_request_duration_seconds",
                "workload_manager_active_proxy_count", "workload_manager_pending_proxy_count", "workload_manager_proxies_started", "workload_manager_proxies_stopped",
                "ztunnel_things",
            ],
            _registry.Families.Select(static family => family.Name));
    }

    [Fact]
    public void Write_FamilyWithUnit_HasUnitLine()
    {
        var xds = new XdsMetrics(_registry);
        xds.Received("type.googleapis.com/istio.workload.Address", 1234);
        xds.Terminated(XdsTermination.ConnectionError);

        Assert.Equal(
            """
            # HELP istio_xds_connection_terminations The total number of completed connections to xds server (unstable).
            # TYPE istio_xds_connection_terminations counter
            istio_xds_connection_terminations_total{reason="ConnectionError"} 1
            # HELP istio_xds_message Total number of messages received (unstable).
            # TYPE istio_xds_message counter
            istio_xds_message_total{url="type.googleapis.com/istio.workload.Address"} 1
            # HELP istio_xds_message_bytes Total number of bytes received (unstable).
            # TYPE istio_xds_message_bytes counter
            # UNIT istio_xds_message_bytes bytes
            istio_xds_message_bytes_total{url="type.googleapis.com/istio.workload.Address"} 1234
            # EOF

            """,
            Text());
    }

    [Fact]
    public void Write_CellsOfLoopsAndOthers_AreSummed()
    {
        Counter counter = _registry.AddCounter(MetricGroup.Ztunnel, "ztunnel_things", "Things (unstable)");
        Gauge gauge = _registry.AddGauge(MetricGroup.Ztunnel, "ztunnel_open", "Open (unstable)", ["kind"]).With("x");
        for (int loop = 0; loop < 3; loop++)
            counter.Add(loop, 10 + loop);
        counter.AddShared(100);
        gauge.Add(0, 5);
        gauge.Add(2, -2);

        Assert.Equal(133, counter.Value);
        Assert.Contains("ztunnel_things_total 133\n", Text(), StringComparison.Ordinal);
        Assert.Contains("ztunnel_open{kind=\"x\"} 3\n", Text(), StringComparison.Ordinal);
    }

    [Fact]
    public void Write_Callback_ReportsWhatThereIs()
    {
        List<string> present = ["a", "b"];
        _registry.AddCallback(MetricGroup.Ztunnel, MetricKind.Gauge, "ztunnel_left_seconds", "Left (unstable)", ["name"], sink =>
        {
            foreach (string name in present)
                sink.Report(TimeSpan.FromMicroseconds(62.5), name);
        }, unit: "seconds");

        Assert.Contains("ztunnel_left_seconds{name=\"a\"} 0.0000625\nztunnel_left_seconds{name=\"b\"} 0.0000625\n", Text(), StringComparison.Ordinal);
        present.Clear();
        Assert.Equal("# EOF\n", Text());
    }

    /// <summary>As long as a certificate that never ends is valid.</summary>
    [Fact]
    public void Write_CallbackWithTheLongestDuration_IsWritten()
    {
        _registry.AddCallback(MetricGroup.Ztunnel, MetricKind.Gauge, "ztunnel_left_seconds", "Left (unstable)", [], static sink => sink.Report(TimeSpan.MaxValue), unit: "seconds");

        Assert.Contains("ztunnel_left_seconds 922337203685.4775807\n", Text(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ztunnel_things", "Things", "unstable")]
    [InlineData("things", "Things (unstable)", "ztunnel_")]
    [InlineData("ztunnel_things_total", "Things (unstable)", "_total")]
    public void Add_OwnFamilyAgainstTheRules_IsRefused(string name, string help, string complaint)
    {
        var refusal = Assert.Throws<ArgumentException>(() => _registry.AddCounter(MetricGroup.Ztunnel, name, help));

        Assert.Contains(complaint, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Add_NameTwice_IsRefused()
    {
        _registry.AddCounter(MetricGroup.Ztunnel, "ztunnel_things", "Things (unstable)");

        Assert.Throws<ArgumentException>(() => _registry.AddGauge(MetricGroup.Ztunnel, "ztunnel_things", "Things (unstable)"));
    }

    [Fact]
    public async Task WriteAsync_ManySeries_LeavesInPiecesWithTheSameText()
    {
        var traffic = new TrafficMetrics(_registry);
        for (int i = 0; i < 300; i++)
            traffic.Opened(i % 3, new TrafficLabels(Reporter.Source, WorkloadLabels.FromRecord($"w{i}", "s", "v", "n", "c", "", ""), null, null, null, null, mutualTls: false));
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 128 * 1024, resumeWriterThreshold: 64 * 1024));

        Task writing = Write();
        using var stream = new StreamReader(pipe.Reader.AsStream());
        string text = await stream.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(10));
        await writing.WaitAsync(TimeSpan.FromSeconds(10));

        Assert.True(text.Length > 256 * 1024, $"{text.Length} characters do not need several pieces");
        Assert.Equal(Text(), text);

        async Task Write()
        {
            await _registry.WriteAsync(pipe.Writer, openMetrics: true, CancellationToken.None);
            await pipe.Writer.CompleteAsync();
        }
    }

    [Theory]
    [InlineData(null, ExpositionFormat.Text)]
    [InlineData("*/*", ExpositionFormat.Text)]
    [InlineData("text/plain;version=0.0.4;q=0.5", ExpositionFormat.Text)]
    [InlineData("application/openmetrics-text", ExpositionFormat.OpenMetrics)]
    [InlineData("APPLICATION/OpenMetrics-Text;version=1.0.0;charset=utf-8", ExpositionFormat.OpenMetrics)]
    [InlineData("text/plain;q=1, application/openmetrics-text;version=0.0.1;q=0.1", ExpositionFormat.OpenMetrics)]
    [InlineData("application/openmetrics-textual", ExpositionFormat.Text)]
    public void Negotiate_AcceptHeader_DecidesTheContentType(string? accept, string expected)
    {
        Assert.Equal(expected, ExpositionFormat.Negotiate([null, accept]));
    }

    private string Text()
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        _registry.Write(buffer);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
