using System.Net;
using Ztunnel.Proxy.Accepting;
using Ztunnel.Proxy.Connections;

namespace Ztunnel.Proxy.Tests.Connections;

public sealed class QuietLimitsTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [Theory]
    [InlineData(null, null, null)]
    [InlineData(4, null, 1)]
    [InlineData(null, 8, 2)]
    [InlineData(40, 8, 2)]
    [InlineData(4, 80, 1)]
    [InlineData(null, 1440, 10)]
    public void Interval_IsAQuarterOfTheShorterLimit(int? idleMinutes, int? halfClosedMinutes, int? minutes)
    {
        var limits = new QuietLimits(idleMinutes * Minute, halfClosedMinutes * Minute);
        Assert.Equal(minutes * Minute, limits.Interval);
    }

    /// <summary>The defaults: a silent connection that is open both ways is never cut.</summary>
    [Fact]
    public void EndIfQuiet_WithDefaults_KeepsWhatIsOpenBothWays()
    {
        var settings = new ProxySettings();
        var connection = new QuietConnection();
        connection.EndIfQuiet(new QuietLimits(settings.IdleLimit, settings.HalfClosedLimit), 0);
        connection.EndIfQuiet(new QuietLimits(settings.IdleLimit, settings.HalfClosedLimit), 1_000_000_000_000);
        Assert.Null(connection.Ended);
    }

    [Theory]
    [InlineData(false, "connection closed: idle for 60 s")]
    [InlineData(true, "connection closed: half-closed and idle for 30 s")]
    public void EndIfQuiet_NothingMovedForTheLimit_Ends(bool halfClosed, string error)
    {
        var limits = new QuietLimits(Minute, Minute / 2);
        var connection = new QuietConnection { IsHalfClosed = halfClosed };
        connection.EndIfQuiet(limits, 10_000);
        connection.EndIfQuiet(limits, 39_999);
        Assert.Null(connection.Ended);
        connection.Moved++;   // a byte starts the time anew
        connection.EndIfQuiet(limits, 100_000);
        Assert.Null(connection.Ended);
        connection.EndIfQuiet(limits, halfClosed ? 130_000 : 160_000);
        Assert.Equal(new ConnectionOutcome(EndReason.IdleTimedOut, error), connection.Ended);
    }

    private sealed class QuietConnection() : TrackedConnection(new IPEndPoint(IPAddress.Loopback, 1), new IPEndPoint(IPAddress.Loopback, 2))
    {
        public long Moved { get; set; }

        public bool IsHalfClosed { get; init; }

        public ConnectionOutcome? Ended { get; private set; }

        protected override ConnectionTable Table { get; } = new(new LoopLoad());

        protected override (long MovedBytes, bool IsHalfClosed) Progress => (Moved, IsHalfClosed);

        public override ConnectionEntry Describe() => new(IsInbound: true, Source, null, OriginalDestination, "TCP");

        public override void Abort(ConnectionOutcome outcome) => Ended = outcome;
    }
}
