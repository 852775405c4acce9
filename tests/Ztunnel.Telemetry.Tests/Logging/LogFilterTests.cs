using Ztunnel.Telemetry.Logging;

namespace Ztunnel.Telemetry.Tests.Logging;

public sealed class LogFilterTests
{
    [Theory]
    [InlineData("info", "hickory_server::server=off,info")]
    [InlineData("", "hickory_server::server=off,info")]
    [InlineData("info,access=off", "hickory_server::server=off,access=off,info")]
    [InlineData("warn,h2=trace,access=off", "hickory_server::server=off,access=off,h2=trace,warn")]
    [InlineData("INFO,ztunnel::proxy=Debug", "hickory_server::server=off,ztunnel::proxy=debug,info")]
    [InlineData("nonsense", "hickory_server::server=off,nonsense=trace")]
    [InlineData("4", "hickory_server::server=off,debug")]
    [InlineData(" info , ,access = off", null)]
    [InlineData("a=b=c", null)]
    [InlineData("foo=bar", null)]
    public void TryParse_EnvironmentValue_ReadsOrRefuses(string text, string? expected)
    {
        Assert.Equal(expected is not null, LogFilter.TryParse(text, out LogFilter filter, out string error));
        if (expected is not null)
            Assert.Equal(expected, filter.ToString());
        else
            Assert.Contains(text.Trim().Split(',')[^1], error, StringComparison.Ordinal);
    }

    // The sequence and the answers are those of the existing program's admin port; the colon form and "warning" are accepted here.
    [Theory]
    [InlineData("info", "debug", "hickory_server::server=off,debug")]
    [InlineData("debug", "access=off", "hickory_server::server=off,access=off,debug")]
    [InlineData("debug,access=off", "warn,h2=trace", "hickory_server::server=off,access=off,h2=trace,warn")]
    [InlineData("info,access=debug", "", "hickory_server::server=off,access=debug,info")]
    [InlineData("info", "access:info", "hickory_server::server=off,access=info,info")]
    [InlineData("info", "ztunnel::proxy:debug,xds:warning", "hickory_server::server=off,ztunnel::proxy=debug,xds=warn,info")]
    [InlineData("info", "access", null)]
    [InlineData("info", "foo=bar", null)]
    [InlineData("info", "ztunnel::proxy", null)]
    public void TryAdd_AdminValue_AddsOrReplaces(string before, string added, string? expected)
    {
        Assert.True(LogFilter.TryParse(before, out LogFilter filter, out _));

        Assert.Equal(expected is not null, filter.TryAdd(added, out LogFilter changed, out _));
        Assert.Equal(expected ?? filter.ToString(), changed.ToString());
    }

    [Theory]
    [InlineData("info,access=off", "access", LogSeverity.Off)]
    [InlineData("warn,ztunnel::proxy=debug,ztunnel::proxy::inbound=trace", "proxy::inbound", LogSeverity.Trace)]
    [InlineData("warn,ztunnel::proxy=debug,ztunnel::proxy::inbound=trace", "proxy::outbound", LogSeverity.Debug)]
    [InlineData("warn,ztunnel::proxy=debug", "dns::server", LogSeverity.Warn)]
    [InlineData("ztunnel::proxy=debug", "dns::server", LogSeverity.Off)]
    [InlineData("nonsense", "access", LogSeverity.Off)]
    [InlineData("warn,ztunnel=info", "ztunnel", LogSeverity.Info)]
    public void LevelOf_Target_LongestDirectiveDecides(string text, string category, LogSeverity expected)
    {
        Assert.True(LogFilter.TryParse(text, out LogFilter filter, out _));

        Assert.Equal(expected, filter.LevelOf(LogTarget.FromCategory(category)));
    }
}
