using System.Buffers;
using System.Text;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Telemetry.Tests.Metrics;

public sealed class HistogramTests
{
    private readonly MetricRegistry _registry = new(new MetricSettings { Loops = 1 }, TimeProvider.System);

    [Fact]
    public void Write_EachBucketHoldsTheSmallerOnes()
    {
        Histogram histogram = _registry.AddHistogram(MetricGroup.Ztunnel, "ztunnel_test_duration_seconds", "Test (unstable)", TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(2));

        foreach (double milliseconds in (double[])[0.5, 1, 30, 2000, 2001])
            histogram.Observe(TimeSpan.FromMilliseconds(milliseconds));

        Assert.Equal(
            """
            # HELP ztunnel_test_duration_seconds Test (unstable).
            # TYPE ztunnel_test_duration_seconds histogram
            # UNIT ztunnel_test_duration_seconds seconds
            ztunnel_test_duration_seconds_sum 4.0325
            ztunnel_test_duration_seconds_count 5
            ztunnel_test_duration_seconds_bucket{le="0.001"} 2
            ztunnel_test_duration_seconds_bucket{le="2.0"} 4
            ztunnel_test_duration_seconds_bucket{le="+Inf"} 5
            # EOF

            """, Scrape());
    }

    [Fact]
    public void Write_NeverObserved_IsLeftOut()
    {
        _registry.AddHistogram(MetricGroup.Ztunnel, "ztunnel_test_duration_seconds", "Test (unstable)", TimeSpan.FromMilliseconds(1));

        Assert.Equal("# EOF\n", Scrape());
    }

    private string Scrape()
    {
        var output = new ArrayBufferWriter<byte>();
        _registry.Write(output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
