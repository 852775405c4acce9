using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Ztunnel.Linux.Sockets;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Outbound;
using Ztunnel.Proxy.Socks5;
using Ztunnel.Proxy.Tests.Support;
using Ztunnel.Testing.Logging;

namespace Ztunnel.Proxy.Tests.Socks5;

/// <summary>A client that negotiates is a connection of its pod, and ends with it.</summary>
public sealed class SocksNegotiationTests : IAsyncDisposable
{
    private readonly RecordingLogger _logs = new();
    private readonly TaskCompletionSource<IPAddress[]> _lookup = new();
    private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly PoolRig _rig;

    public SocksNegotiationTests() => _rig = new PoolRig(new SetUpLimits(), answersTls: false, logs: _logs, lookups: new HostLookups((_, _) =>
    {
        _asked.TrySetResult();
        return _lookup.Task;
    }));

    private ConnectionTable Connections => _rig.Pool.Home.Connections;

    [Fact]
    public async Task PodStops_ClientHasNotSaidWhereTo_IsReset()
    {
        using Socket client = await GreetAsync();

        await StopAsync(client);
    }

    [Fact]
    public async Task PodStops_NameIsBeingResolved_IsResetAndTheAddressComesTooLate()
    {
        using Socket client = await GreetAsync();
        await client.SendAsync(new byte[] { 5, 1, 0, 3, 2, (byte)'d', (byte)'b', 0, 80 });
        await _asked.Task.WaitAsync(TunnelPair.Limit);

        await StopAsync(client);
        _lookup.SetResult([IPAddress.Loopback]);

        await StayedQuietAsync();
    }

    /// <summary>Handed over, it is counted once; the connection that goes on is the client's.</summary>
    [Fact]
    public async Task ClientHasSaidWhereTo_IsOneOutboundConnection()
    {
        using Socket client = await GreetAsync();
        byte[] request = [5, 1, 0, 1, 127, 0, 0, 1, 0, 0];
        BinaryPrimitives.WriteUInt16BigEndian(request.AsSpan(8), (ushort)_rig.PeerAddress.Port);

        await client.SendAsync(request);

        byte[] reply = await Applications.ReceiveExactlyAsync(client, SocksProtocol.ReplyBytes);
        Assert.Equal((byte)SocksStatus.Succeeded, reply[1]);
        ConnectionEntry entry = Assert.Single(await _rig.OnLoopAsync(() => Task.FromResult(Connections.Describe())));
        Assert.Equal(_rig.PeerAddress.ToString(), entry.OriginalDestination);
        await StopAsync(client);
    }

    public ValueTask DisposeAsync() => _rig.DisposeAsync();

    private async Task<Socket> GreetAsync()
    {
        (Socket client, SocketHandle accepted) = TunnelPair.ConnectedPair();
        await _rig.OnLoopAsync(() =>
        {
            new SocksNegotiation(_rig.Pool.Home, LoopSocket.Attach(_rig.Loop, accepted)).Start();
            return Task.FromResult(true);
        });
        await client.SendAsync(new byte[] { 5, 1, 0 });
        Assert.Equal([5, 0], await Applications.ReceiveExactlyAsync(client, 2));
        return client;
    }

    private async Task StopAsync(Socket client)
    {
        Assert.Equal(1, await _rig.OnLoopAsync(() => Task.FromResult(Connections.Count)));
        await _rig.OnLoopAsync(() =>
        {
            Connections.AbortAll(ConnectionOutcome.Drained);
            return Task.FromResult(true);
        });

        SocketException reset = await Assert.ThrowsAsync<SocketException>(() => Applications.ReceiveExactlyAsync(client, 1));
        Assert.Equal(SocketError.ConnectionReset, reset.SocketErrorCode);
        await StayedQuietAsync();
    }

    // What waited for the socket is told in the next turn of the loop, and what it does then comes within that turn.
    private async Task StayedQuietAsync()
    {
        for (int turn = 0; turn < 3; turn++)
            Assert.Equal(0, await _rig.OnLoopAsync(() => Task.FromResult(Connections.Count)));
        Assert.Empty(_logs.Lines(LogLevel.Warning));
        Assert.Empty(_logs.Lines(LogLevel.Error));
    }
}
