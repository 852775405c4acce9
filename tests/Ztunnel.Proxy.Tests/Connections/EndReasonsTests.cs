using Ztunnel.Proxy.Connections;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy.Tests.Connections;

public sealed class EndReasonsTests
{
    public static TheoryData<EndReason> AllReasons => [.. Enum.GetValues<EndReason>()];

    [Theory]
    [MemberData(nameof(AllReasons))]
    public void Describe_EveryReason_HasItsOwnCodeAndAdvice(EndReason reason)
    {
        EndReasonEntry entry = EndReasons.Describe(reason);

        Assert.Matches("^[a-z0-9_]+$", entry.Code);
        Assert.NotEmpty(entry.Advice);
        Assert.Single(EndReasons.All, other => other.Code == entry.Code);
    }

    [Fact]
    public void All_HasOneRowForEachReason() => Assert.Equal(Enum.GetValues<EndReason>().Length, EndReasons.All.Count);

    [Theory]
    [InlineData(EndReason.Completed, ResponseFlag.None)]
    [InlineData(EndReason.PolicyDenied, ResponseFlag.Deny)]
    [InlineData(EndReason.PolicyChanged, ResponseFlag.Deny)]
    [InlineData(EndReason.ConnectFailed, ResponseFlag.Connect)]
    [InlineData(EndReason.HttpStatus, ResponseFlag.Connect)]
    [InlineData(EndReason.TunnelConnectTimedOut, ResponseFlag.NetworkPolicy)]
    [InlineData(EndReason.TlsFailed, ResponseFlag.TlsFailure)]
    [InlineData(EndReason.Http2Failed, ResponseFlag.H2HandshakeFailure)]
    [InlineData(EndReason.IdentityUnavailable, ResponseFlag.IdentityError)]
    [InlineData(EndReason.CertificateRevoked, ResponseFlag.CertRevoked)]
    [InlineData(EndReason.Drained, ResponseFlag.None)]
    public void Describe_Flag_IsThatOfDashboards(EndReason reason, ResponseFlag flag) => Assert.Equal(flag, EndReasons.Describe(reason).ResponseFlag);
}
