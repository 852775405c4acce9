using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.Abuse;

/// <summary>A peer that makes us say things and never reads: what waits for it is bounded in bytes, whatever kind of frame it is.</summary>
public sealed class UnreadAnswersTests
{
    // What one call of Receive may add before the bound is looked at.
    private const int MostUnreadBytes = (1024 * 1024) + 4_096;

    [Fact]
    public void Pings_Unread_AreBoundedByTheirNumber()
    {
        var attack = new Attack(Http2Role.Server, Http2Settings.ForServer with { Limits = new Http2Limits { Pings = int.MaxValue } }) { Reads = false };

        attack.Run(static i => [TestFrame.PingOf((ulong)i)], limit: 100_000);

        attack.AssertCalmed("too_many_unread_answers");
        Assert.Equal(1_001, attack.Steps);
        Assert.InRange(attack.UnreadBytes, 17_000, 18_000);
    }

    /// <summary>Streams that were answered are reset and opened again: no reset before an answer, never more than one stream, and yet a HEADERS frame more each time.</summary>
    [Fact]
    public void AnswersToRequests_Unread_AreBoundedInBytes()
    {
        var attack = new Attack(Http2Role.Server) { Reads = false, Answers = 200 };

        attack.Run(static i => [TestFrame.Connect((2 * i) + 1), TestFrame.Reset((2 * i) + 1, Http2ErrorCode.Cancel)], limit: 1_000_000);

        attack.AssertCalmed("too_many_unread_answers");
        Assert.InRange(attack.UnreadBytes, 1024 * 1024, MostUnreadBytes);
        Assert.Equal(1, attack.PeakStreams);
    }

    [Fact]
    public void WindowUpdates_Unread_AreBoundedInBytes()
    {
        var attack = new Attack(Http2Role.Server, Http2Settings.ForServer with { InitialStreamWindowBytes = 100, MaxStreamWindowBytes = 100 }) { Reads = false, Answers = 200 };
        attack.Open(1);
        TestFrame[] data = [TestFrame.DataOf(1, 100)];

        // The peer knows without reading that the window is open again.
        attack.Run(_ => data, limit: 1_000_000);

        attack.AssertCalmed("too_many_unread_answers");
        Assert.InRange(attack.UnreadBytes, 1024 * 1024, MostUnreadBytes);
    }

    [Fact]
    public void AnswersOfAFullSet_Unread_AreFine()
    {
        var attack = new Attack(Http2Role.Server) { Reads = false, Answers = 200 };

        attack.Run(static i => [TestFrame.Connect((2 * i) + 1)], limit: 200);

        Assert.False(attack.Connection.Result.IsClosed);
        Assert.Equal(200, attack.PeakStreams);
    }
}
