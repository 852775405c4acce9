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

    [Fact]
    public async Task Drain_ClosesThePool()
    {
        await using var rig = new PoolRig(new SetUpLimits(), answersTls: true);
        await rig.OpenAsync();

        await rig.OnLoopAsync(() =>
        {
            rig.Pool.Drain();
            return Task.FromResult(true);
        });

        Assert.Equal(EndReason.Drained, (await rig.OpenAsync()).Outcome.Reason);
    }
}
