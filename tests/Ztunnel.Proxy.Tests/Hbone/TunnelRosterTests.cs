using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Hbone;
using Ztunnel.Proxy.Tests.Support;
using Ztunnel.Tls.Revocation;

namespace Ztunnel.Proxy.Tests.Hbone;

/// <summary>What becomes of tunnels when certificates are revoked (data-path 6.4).</summary>
public sealed class TunnelRosterTests
{
    private const string Rejections = "istio_crl_policy_rejections_total";

    [Fact]
    public async Task Peer_RevokedBeforeTheHandshake_IsRefusedAndCounted()
    {
        await using var rig = new PoolRig(new SetUpLimits(), answersTls: true);
        rig.Revocations.Publish(rig.RevokesPeer);

        OpenStreamResult result = await rig.OpenAsync();

        Assert.Equal(new ConnectionOutcome(EndReason.CertificateRevoked, "invalid peer certificate: Revoked"), result.Outcome);
        Assert.Equal([$"{Rejections}{{reporter=\"source\"}} 1"], rig.Scrape(Rejections));
        Assert.Contains("ztunnel_handshakes_total{role=\"client\",result=\"certificate_revoked\"} 1", rig.Scrape("ztunnel_handshakes_total{"));
    }

    [Fact]
    public async Task Peer_RevokedWhileItsTunnelIsOpen_TunnelAndStreamsAreCutWithTheReason()
    {
        await using var rig = new PoolRig(new SetUpLimits(), answersTls: true);
        rig.Revocations.Changed += rig.Roster.OnRevocationsChanged;
        OpenStreamResult first = await rig.OpenAsync();
        OpenStreamResult second = await rig.OpenAsync();

        rig.Revocations.Publish(rig.RevokesPeer);

        foreach (OpenStreamResult open in new[] { first, second })
        {
            ConnectionOutcome end = await ((StreamOwner)open.Stream!.Owner).Ended.Task.WaitAsync(TunnelPair.Limit);
            Assert.Equal((EndReason.CertificateRevoked, "connection closed: peer certificate revoked by CRL"), (end.Reason, end.Error));
        }

        // Once for the tunnel, however many streams it carried.
        Assert.Equal([$"{Rejections}{{reporter=\"source\"}} 1"], rig.Scrape(Rejections));
        Assert.Contains("ztunnel_tunnels_closed_total{role=\"client\",reason=\"certificate_revoked\"} 1", rig.Scrape("ztunnel_tunnels_closed_total{"));
        Assert.Equal(EndReason.CertificateRevoked, (await rig.OpenAsync()).Outcome.Reason);
    }

    [Fact]
    public async Task Peer_NotNamedByNewLists_KeepsItsTunnel()
    {
        await using var rig = new PoolRig(new SetUpLimits(), answersTls: true);
        rig.Revocations.Changed += rig.Roster.OnRevocationsChanged;
        OpenStreamResult open = await rig.OpenAsync();

        rig.Revocations.Publish(RevocationSet.Empty);
        // Another tunnel's worth of work on loop and pool has passed by then.
        await rig.OpenAsync();

        Assert.False(((StreamOwner)open.Stream!.Owner).Ended.Task.IsCompleted);
        Assert.Equal("ztunnel_tunnels_open{role=\"client\"} 1", rig.Scrape("ztunnel_tunnels_open{")[0]);
        Assert.Equal(1, rig.Accepted);
    }

    [Fact]
    public async Task Peer_RevokedBetweenItsJudgementAndTheTunnel_IsCutToo()
    {
        // The library says the last secrets after it has verified the peer, and before the tunnel is there. Nobody listens to Changed.
        PoolRig? rig = null;
        bool published = false;
        rig = new PoolRig(new SetUpLimits(), answersTls: true, keyLog: line =>
        {
            if (published || !line.StartsWith("CLIENT_TRAFFIC_SECRET_0", StringComparison.Ordinal))
                return;
            published = true;
            rig!.Revocations.Publish(rig.RevokesPeer);
        });
        await using PoolRig ours = rig;

        OpenStreamResult open = await rig.OpenUnansweredAsync();

        Assert.True(published);
        Assert.Equal(EndReason.CertificateRevoked, (await ((StreamOwner)open.Stream!.Owner).Ended.Task.WaitAsync(TunnelPair.Limit)).Reason);
    }
}
