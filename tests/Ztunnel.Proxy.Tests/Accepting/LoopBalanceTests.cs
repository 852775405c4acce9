using Ztunnel.Linux.Loop;
using Ztunnel.Proxy.Accepting;

namespace Ztunnel.Proxy.Tests.Accepting;

/// <summary>Connections spread over loops as they come, since they cannot move later.</summary>
public sealed class LoopBalanceTests : IDisposable
{
    private readonly LoopGroup _loops = LoopGroup.Start(3);
    private readonly LoopLoad[] _loads = [new(), new(), new()];

    private LoopBalance Balance => new([.. _loops.Loops], _loads);

    public void Dispose() => _loops.Dispose();

    [Theory]
    [InlineData(3, "3 0 0")]
    [InlineData(8, "5 2 1")]
    [InlineData(64, "24 20 20")]
    public void ForConnection_AllAcceptedByOneLoop_FewStayTogetherAndManySpread(int connections, string expected)
    {
        for (int i = 0; i < connections; i++)
            _loads[Balance.ForConnection(_loops.Loops[0]).Index].ConnectionEntered();

        Assert.Equal(expected, string.Join(' ', _loads.Select(static load => load.Connections)));
    }

    [Fact]
    public void ForConnection_OthersAreNoEmptier_StaysWhereItWasAccepted()
    {
        for (int i = 0; i < 100; i++)
            _loads[i % 3].ConnectionEntered();

        Assert.All(_loops.Loops, loop => Assert.Same(loop, Balance.ForConnection(loop)));
    }

    [Fact]
    public void ForTunnel_EachLoopGetsOneBeforeAnyGetsTwo()
    {
        for (int i = 0; i < 7; i++)
            _loads[Balance.ForTunnel(_loops.Loops[1]).Index].TunnelEntered();

        Assert.Equal("2 3 2", string.Join(' ', _loads.Select(static load => load.Tunnels)));
    }

    [Fact]
    public void ForTunnel_EqualTunnels_GoesWhereConnectionsAreFewest()
    {
        _loads[0].ConnectionEntered();
        _loads[1].ConnectionEntered();

        Assert.Same(_loops.Loops[2], Balance.ForTunnel(_loops.Loops[0]));
    }

    [Fact]
    public void Left_ConnectionsAndTunnels_CountNoMore()
    {
        for (int i = 0; i < 10; i++)
        {
            _loads[0].ConnectionEntered();
            _loads[0].TunnelEntered();
        }

        for (int i = 0; i < 10; i++)
        {
            _loads[0].ConnectionLeft();
            _loads[0].TunnelLeft();
        }

        Assert.Equal((0, 0), (_loads[0].Connections, _loads[0].Tunnels));
    }
}
