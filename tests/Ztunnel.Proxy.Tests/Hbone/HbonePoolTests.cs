using System.Net;
using System.Net.Sockets;
using Ztunnel.Mesh.Identity;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Hbone;
using Ztunnel.Proxy.Outbound;
using Ztunnel.Proxy.Tests.Support;
using Ztunnel.Testing;
using Ztunnel.Testing.Time;
using Ztunnel.Tls.Certificates;

namespace Ztunnel.Proxy.Tests.Hbone;

public sealed class HbonePoolTests
{
    private static readonly SetUpLimits Short = new() { Handshake = TimeSpan.FromMilliseconds(300) };

    [Fact]
    public async Task OpenStream_ManyAtOnce_ShareOneTunnel()
    {
        await using var rig = new PoolRig(new SetUpLimits(), answersTls: true);

        OpenStreamResult[] results = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => rig.OpenAsync()));

        Assert.All(results, result => Assert.NotNull(result.Stream));
        Assert.Equal(1, rig.Accepted);
    }

    /// <summary>Connections to a peer that accepts and says nothing fail together, with the one attempt they share; not one after the other (design section 7).</summary>
    [Fact]
    public async Task OpenStream_SilentPeer_AllWaitersShareOneAttemptAndItsLimit()
    {
        await using var rig = new PoolRig(Short, answersTls: false);

        OpenStreamResult[] results = await Task.WhenAll(rig.OpenAsync(), rig.OpenAsync(), rig.OpenAsync());

        Assert.All(results, result => Assert.Equal(EndReason.SetUpTimedOut, result.Outcome.Reason));
        Assert.Equal(1, rig.Accepted);
    }

    /// <summary>The attempt belongs to all who wait; each of them has its own time.</summary>
    [Fact]
    public async Task OpenStream_AttemptOutlastsTheConnectionsTime_IsNotWaitedFor()
    {
        await using var rig = new PoolRig(new SetUpLimits { Handshake = TimeSpan.FromSeconds(3) }, answersTls: false);

        Task<OpenStreamResult> patient = rig.OpenUnansweredAsync();
        OpenStreamResult hasty = await rig.OpenUnansweredAsync(TimeSpan.FromMilliseconds(100));

        Assert.Equal((EndReason.SetUpTimedOut, "timed out waiting for a tunnel"), (hasty.Outcome.Reason, hasty.Outcome.Error));
        Assert.False(patient.IsCompleted);
        Assert.Equal(EndReason.SetUpTimedOut, (await patient).Outcome.Reason);
        Assert.Equal(1, rig.Accepted);
    }

    [Fact]
    public async Task OpenStream_AuthorityDoesNotAnswer_IsGivenUp()
    {
        await using var rig = new PoolRig(
            new SetUpLimits { Total = TimeSpan.FromMilliseconds(300) }, answersTls: true, certificates: static (_, _) => new(new TaskCompletionSource<WorkloadCertificate>().Task));

        OpenStreamResult result = await rig.OpenAsync();

        Assert.Equal((EndReason.IdentityUnavailable, "identity error: timed out waiting for a certificate"), (result.Outcome.Reason, result.Outcome.Error));
    }

    [Fact]
    public async Task OpenStream_HandshakeCannotBegin_LeavesNoSocketBehind()
    {
        WorkloadCertificate disposed = TestAuthority.Create().IssueWorkload(new SpiffeId("cluster.local", "default", "client"));
        disposed.Dispose();
        await using var rig = new PoolRig(new SetUpLimits(), answersTls: false, certificates: (_, _) => ValueTask.FromResult(disposed));
        int before = await rig.OnLoopAsync(() => Task.FromResult(rig.Loop.WatchCount));

        await Assert.ThrowsAsync<ObjectDisposedException>(() => rig.OpenUnansweredAsync());

        // The peer's end is left.
        await rig.UntilAsync(() => rig.Accepted == 1);
        Assert.Equal(before + 1, await rig.OnLoopAsync(() => Task.FromResult(rig.Loop.WatchCount)));
    }

    /// <summary>The application gave up: that is no failure of the proxy's.</summary>
    [Fact]
    public async Task Resolve_ApplicationGaveUp_IsNoAddress()
    {
        await using var rig = new PoolRig(new SetUpLimits(), answersTls: true);

        Assert.Null(await HostResolver.ResolveAsync(rig.Pool.Home.Context, "never-asked.invalid", AddressFamily.InterNetwork, TunnelPair.Limit, new CancellationToken(canceled: true)));
    }

    /// <summary>A resolver that hangs costs a connection no more than the time it has left.</summary>
    [Fact]
    public async Task Resolve_LittleTimeIsLeft_IsGivenUpThen()
    {
        var time = new ManualTimeProvider();
        await using var rig = new PoolRig(new SetUpLimits(), answersTls: true, lookups: new HostLookups(static (_, _) => new TaskCompletionSource<IPAddress[]>().Task), time: time);

        Task<IPAddress?> resolved = HostResolver.ResolveAsync(rig.Pool.Home.Context, "hangs.example", AddressFamily.InterNetwork, TimeSpan.FromSeconds(2), CancellationToken.None);

        time.Advance(TimeSpan.FromSeconds(1));
        Assert.False(resolved.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(await resolved.WaitAsync(TunnelPair.Limit));
    }

    /// <summary>The outer tunnel stays; the stream in it must not.</summary>
    [Fact]
    public async Task ConnectThroughGateway_InnerHandshakeCannotBegin_LeavesNoStreamBehind()
    {
        PoolRig? rig = null;
        int asked = 0;
        await using PoolRig created = rig = new PoolRig(new SetUpLimits(), answersTls: true, certificates: (_, _) =>
        {
            // The first one is for the outer handshake.
            if (++asked == 2)
                rig!.Own.Dispose();
            return ValueTask.FromResult(rig!.Own);
        });

        ObjectDisposedException thrown = await Assert.ThrowsAsync<ObjectDisposedException>(rig.ConnectThroughPeerAsync);

        Assert.Contains(nameof(HopConnector), thrown.StackTrace, StringComparison.Ordinal);
        Assert.Equal("ztunnel_streams_opened_total{role=\"client\"} 1", rig.Scrape("ztunnel_streams_opened_total{")[0]);
        Assert.Equal("ztunnel_streams_open{role=\"client\"} 0", rig.Scrape("ztunnel_streams_open{")[0]);
    }

    [Fact]
    public async Task OpenStream_AfterAFailedAttempt_TriesAnew()
    {
        await using var rig = new PoolRig(Short, answersTls: false);

        await rig.OpenAsync();
        await rig.OpenAsync();

        Assert.Equal(2, rig.Accepted);
    }

    /// <summary>A peer that allows one stream gets a tunnel for each connection, rather than a queue (design section 7).</summary>
    [Fact]
    public async Task OpenStream_PeerAllowsOneStream_OpensAnotherTunnel()
    {
        await using var rig = new PoolRig(new SetUpLimits(), answersTls: true, maxStreams: 1);

        OpenStreamResult first = await rig.OpenAsync();
        OpenStreamResult second = await rig.OpenAsync();

        Assert.NotNull(first.Stream);
        Assert.NotNull(second.Stream);
        Assert.Equal(2, rig.Accepted);
    }

    /// <summary>A tunnel that was full takes streams again when one has ended: no third tunnel is opened.</summary>
    [Fact]
    public async Task OpenStream_AfterAStreamOfAFullTunnelEnded_ReturnsToIt()
    {
        await using var rig = new PoolRig(new SetUpLimits(), answersTls: true, maxStreams: 1);
        OpenStreamResult first = await rig.OpenAsync();
        await rig.OpenAsync();

        await rig.EndAsync(first);
        OpenStreamResult third = await rig.OpenAsync();

        Assert.Same(first.Stream!.Tunnel, third.Stream!.Tunnel);
        Assert.Equal(2, rig.Accepted);
    }

    /// <summary>Retired, not cut: open streams go on, new ones take another tunnel, and the old one closes behind its last stream.</summary>
    [Fact]
    public async Task OpenStream_TunnelIsTooOld_TakesAnother()
    {
        await using var rig = new PoolRig(new SetUpLimits(), answersTls: true, maxAge: TimeSpan.Zero);
        OpenStreamResult first = await rig.OpenAsync();

        OpenStreamResult second = await rig.OpenAsync();

        Assert.NotSame(first.Stream!.Tunnel, second.Stream!.Tunnel);
        Assert.False(first.Stream.Tunnel.IsClosed);
        await rig.EndAsync(first);
        await rig.UntilAsync(() => first.Stream.Tunnel.IsClosed);
        Assert.False(second.Stream.Tunnel.IsClosed);
    }

    [Fact]
    public async Task OpenStream_CertificateWasReplaced_TakesANewTunnel()
    {
        await using var rig = new PoolRig(new SetUpLimits(), answersTls: true);
        OpenStreamResult first = await rig.OpenAsync();
        OpenStreamResult same = await rig.OpenAsync();
        Assert.Same(first.Stream!.Tunnel, same.Stream!.Tunnel);

        rig.RenewCertificate();
        OpenStreamResult second = await rig.OpenAsync();

        Assert.NotSame(first.Stream.Tunnel, second.Stream!.Tunnel);
        Assert.False(first.Stream.Tunnel.IsClosed);
        Assert.Equal(2, rig.Accepted);
    }

    [Fact]
    public async Task Shutdown_ClosesThePool()
    {
        await using var rig = new PoolRig(new SetUpLimits(), answersTls: true);
        OpenStreamResult open = await rig.OpenAsync();

        await rig.OnLoopAsync(() =>
        {
            rig.Pool.Shutdown(ConnectionOutcome.Drained);
            return Task.FromResult(true);
        });

        Assert.True(open.Stream!.Tunnel.IsClosed);
        Assert.Equal(EndReason.Drained, (await rig.OpenAsync()).Outcome.Reason);
    }
}
