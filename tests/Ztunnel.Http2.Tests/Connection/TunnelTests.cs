using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.Connection;

/// <summary>Our client against our server over a wire that cuts anywhere, with windows and frame sizes of all kinds.</summary>
public sealed class TunnelTests
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, 24)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void ManyStreamsBothWays_ArriveWhole(int seed)
    {
        var random = new Random(seed);
        int streams = random.Next(1, 40);
        int scale = random.Next(3) switch { 0 => 100, 1 => 5_000, _ => 60_000 };
        int Up(int id) => (int)((uint)id * 2_654_435_761u % (uint)scale);
        int Down(int id) => (int)((uint)id * 40_503u % (uint)scale);
        var client = new TunnelSide(Http2Role.Client, RandomWindows(random, Http2Settings.ForClient), random, Up);
        var server = new TunnelSide(Http2Role.Server, RandomWindows(random, Http2Settings.ForServer), random, Down);

        int opened = 0;
        for (int step = 0; step < 500_000 && (client.ClosedStreams < streams || server.ClosedStreams < streams); step++)
        {
            if (opened < streams && client.Connection.CanOpenStream && random.Next(4) == 0)
            {
                client.Open();
                opened++;
            }
            client.Send();
            server.Send();
            Deliver(client, server, random);
            Deliver(server, client, random);
            client.Credit();
            server.Credit();
            if (step % 1_000 == 0)
            {
                // Small windows make many updates; time passes too.
                client.Connection.OnTick(step * 10);
                server.Connection.OnTick(step * 10);
            }
        }

        client.AssertComplete(Down);
        server.AssertComplete(Up);
    }

    private static Http2Settings RandomWindows(Random random, Http2Settings settings)
    {
        int[] windows = [1_000, 16_384, 65_535, 262_144];
        return settings with
        {
            InitialStreamWindowBytes = windows[random.Next(windows.Length)],
            MaxStreamWindowBytes = 1024 * 1024,
            ConnectionWindowBytes = random.Next(65_535, 200_000),
            MaxFrameBytes = random.Next(2) == 0 ? 16_384 : 1024 * 1024,
            MaxConcurrentStreams = random.Next(1, 30),

            // Windows of a few bytes need updates at a rate that nobody would bear otherwise.
            Limits = new Http2Limits { WindowUpdates = 10_000_000, QueuedAnswers = 1_000_000 },
        };
    }

    private static void Deliver(TunnelSide from, TunnelSide to, Random random)
    {
        byte[] bytes = from.Wire.ToArray();
        from.Wire.SetLength(0);
        for (int at = 0; at < bytes.Length;)
        {
            int piece = Math.Min(bytes.Length - at, random.Next(5) == 0 ? random.Next(1, 12) : random.Next(1, 20_000));
            Http2ReceiveResult result = to.Receive(bytes.AsSpan(at, piece));
            Assert.False(result.IsClosed, result.Text);
            at += piece;
        }
    }
}
