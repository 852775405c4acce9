using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Tests.Sockets;

public class PingPongTests
{
    [Fact]
    public async Task PingPong_AfterWarmUp_AllocatesNothing()
    {
        using var fixture = new LoopFixture();

        long allocated = await fixture.OnLoop(static async loop =>
        {
            (LoopSocket first, LoopSocket second) = await SocketPair.ConnectBothAsync(loop);
            var game = new Game(first, second, warmUp: 2_000, rounds: 20_000);
            game.Start();
            return await game.Allocated;
        });

        Assert.Equal(0, allocated);
    }

    /// <summary>One byte goes to and fro between two sockets; the first one counts.</summary>
    private sealed class Game
    {
        private readonly TaskCompletionSource<long> _allocated = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly LoopSocket _first;
        private readonly LoopSocket _second;
        private readonly int _warmUp;
        private readonly int _rounds;
        private int _returned;
        private long _before;

        public Game(LoopSocket first, LoopSocket second, int warmUp, int rounds)
        {
            (_first, _second, _warmUp, _rounds) = (first, second, warmUp, rounds);
            _first.Handler = new Player(this, _first, counts: true);
            _second.Handler = new Player(this, _second, counts: false);
        }

        public Task<long> Allocated => _allocated.Task;

        public void Start() => Assert.Equal(1, _first.Send([1]).Bytes);

        private bool CountReturn()
        {
            _returned++;
            if (_returned == _warmUp)
            {
                _before = GC.GetAllocatedBytesForCurrentThread();
            }
            else if (_returned == _warmUp + _rounds)
            {
                _allocated.SetResult(GC.GetAllocatedBytesForCurrentThread() - _before);
                return false;
            }

            return true;
        }

        private sealed class Player(Game game, LoopSocket socket, bool counts) : ISocketHandler
        {
            public void OnReadable()
            {
                Span<byte> scratch = socket.Loop.ReceiveScratch.Span;
                IoResult received = socket.Receive(scratch);
                if (received.IsDone && (!counts || game.CountReturn()))
                {
                    socket.Send(scratch[..1]);
                }
            }

            public void OnWritable()
            {
            }

            public void OnHangup()
            {
            }
        }
    }
}
