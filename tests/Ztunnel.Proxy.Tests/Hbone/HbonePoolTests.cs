using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Hbone;
using Ztunnel.Proxy.Tests.Support;

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
