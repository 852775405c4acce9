using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Outbound;

namespace Ztunnel.Proxy.Tests.Outbound;

/// <summary>What a failed attempt says about the next one. Each is judged by itself: that an earlier hop left its CONNECT unanswered does not give a later one a second try.</summary>
public sealed class HopResultTests
{
    [Theory]
    [InlineData(EndReason.StreamReset)]
    [InlineData(EndReason.TunnelLost)]
    [InlineData(EndReason.TunnelTimedOut)]
    public void Refused_WithoutAnswer_IsWorthASecondAttemptAtTheSameHop(EndReason reason)
    {
        HopResult result = HopResult.Refused(new ConnectAnswer(0, null, new ConnectionOutcome(reason, "io error: x")));
        Assert.True(result.IsWorthAnotherAttempt);
        Assert.True(result.IsWorthAnotherHop);
    }

    [Theory]
    [InlineData(503, true)]
    [InlineData(401, false)]
    [InlineData(400, false)]
    public void Refused_WithStatus_OnlyA503IsWorthAnotherHop(int status, bool another)
    {
        HopResult result = HopResult.Refused(new ConnectAnswer(status, null, default));
        Assert.Equal(another, result.IsWorthAnotherHop);
        Assert.Equal(another, result.IsEndpointAtFault);
        Assert.False(result.IsWorthAnotherAttempt);
    }

    [Fact]
    public void Refused_InTime_IsNotTriedAgainAtTheSameHop() => Assert.False(HopResult.Refused(ConnectAnswer.TimedOut).IsWorthAnotherAttempt);

    [Theory]
    [InlineData(EndReason.ConnectFailed, true)]
    [InlineData(EndReason.TlsFailed, true)]
    [InlineData(EndReason.SetUpTimedOut, true)]
    [InlineData(EndReason.IdentityUnavailable, false)]
    [InlineData(EndReason.LocalWorkloadUnknown, false)]
    [InlineData(EndReason.Drained, false)]
    public void Failed_IsWorthAnotherHopUnlessTheCauseIsOurs(EndReason reason, bool another)
    {
        HopResult result = HopResult.Failed(new ConnectionOutcome(reason, "x"));
        Assert.Equal(another, result.IsWorthAnotherHop);
        Assert.Equal(another, result.IsEndpointAtFault);
        Assert.False(result.IsWorthAnotherAttempt);
    }

    [Fact]
    public void BehindGateway_SparesTheGateway_AndTriesItOnceMore()
    {
        HopResult result = HopResult.Failed(new ConnectionOutcome(EndReason.TlsFailed, "x")).BehindGateway();
        Assert.True(result.IsWorthAnotherAttempt);
        Assert.False(result.IsEndpointAtFault);
    }

    [Fact]
    public void BehindGateway_PolicyRefuses_IsFinal() => Assert.False(HopResult.Refused(new ConnectAnswer(401, null, default)).BehindGateway().IsWorthAnotherAttempt);
}
