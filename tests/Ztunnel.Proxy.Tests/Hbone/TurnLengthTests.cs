using Ztunnel.Proxy.Tests.Support;

namespace Ztunnel.Proxy.Tests.Hbone;

/// <summary>What one connection may move before the others of its loop are looked at (decisions/0012).</summary>
public sealed class TurnLengthTests
{
    [Fact]
    public async Task Turn_MoreIsWaiting_SendsNoMoreThanABatchForEachReason()
    {
        using TunnelPair pair = await TunnelPair.ConnectAsync();
        using StreamPair stream = await pair.OpenStreamAsync();
        int scratchBytes = await pair.OnLoopAsync(() => pair.Loop.ReceiveScratch.Length);
        using var enough = new CancellationTokenSource();
        long seen = 0;
        long most = 0;
        pair.Loop.Post(LookEachTurn, null);

        Task sending = Applications.SendUntilAsync(stream.Client, enough.Token);
        byte[] buffer = new byte[scratchBytes];
        for (long received = 0; received < 256L * 1024 * 1024;)
            received += await stream.Server.ReceiveAsync(buffer).WaitAsync(TunnelPair.Limit);
        await enough.CancelAsync();
        await Applications.ReceiveAllAsync(stream.Server);
        await sending;

        // The socket takes more, something was left over, the peer has given window: each of them may be true once.
        Assert.InRange(await pair.OnLoopAsync(() => most), 1, 3 * scratchBytes);

        void LookEachTurn(object? _)
        {
            long now = stream.ClientSide.ToTunnel;
            most = Math.Max(most, now - seen);
            seen = now;
            if (!enough.IsCancellationRequested)
                pair.Loop.Post(LookEachTurn, null);
        }
    }
}
