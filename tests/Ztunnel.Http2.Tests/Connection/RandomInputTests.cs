using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.Connection;

/// <summary>Nothing a peer sends makes Receive throw, loop or keep more than its bounds.</summary>
public sealed class RandomInputTests
{
    public static TheoryData<Http2Role, int> Cases
    {
        get
        {
            var data = new TheoryData<Http2Role, int>();
            for (int seed = 0; seed < 10; seed++)
            {
                data.Add(Http2Role.Client, seed);
                data.Add(Http2Role.Server, seed);
            }
            return data;
        }
    }

    /// <summary>Bytes without any sense.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void RandomBytes_AreSurvived(Http2Role role, int seed)
    {
        var random = new Random(seed);
        for (int round = 0; round < 300; round++)
        {
            RawPeer peer = role == Http2Role.Server ? RawPeer.OfServer() : RawPeer.OfClient();
            var bytes = new byte[random.Next(1, 400)];
            random.NextBytes(bytes);
            peer.SendBytes(bytes);
            peer.ReadBytes();
        }
    }

    /// <summary>Frames that are nearly right: known types, plausible lengths and streams, random flags and payloads, valid header sections with a few bytes changed.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void NearlyValidFrames_AreSurvived(Http2Role role, int seed)
    {
        var random = new Random(seed);
        for (int round = 0; round < 200; round++)
        {
            RawPeer peer = role == Http2Role.Server ? RawPeer.OfServer() : RawPeer.OfClient();
            peer.Events.Requested = stream => React(stream, random);
            peer.Events.DataArrived = (stream, length) => OnData(stream, length, random);
            peer.Events.Ended = stream => React(stream, random);
            peer.Events.WindowOpened = stream => React(stream, random);
            int nextId = 1;
            for (int i = 0; i < 60 && !peer.Connection.Result.IsClosed; i++)
            {
                if (role == Http2Role.Client && random.Next(4) == 0)
                    peer.Connect();
                if (random.Next(3) == 0)
                    peer.ReadBytes();
                byte[] bytes = RandomFrame(random, role, ref nextId).ToBytes();
                int cut = random.Next(bytes.Length);
                peer.SendBytes(bytes[..cut]);
                peer.SendBytes(bytes[cut..]);
                peer.Connection.OnTick(i * 1_000);
            }
            peer.ReadBytes();
            Assert.InRange(peer.Connection.ActiveStreams, 0, 200);
            peer.Connection.TakeStreams();
            peer.Connection.Release();
        }
    }

    private static TestFrame RandomFrame(Random random, Http2Role role, ref int nextId)
    {
        int id = random.Next(4) == 0 ? random.Next(6) : 1 + (2 * random.Next(Math.Max(1, nextId / 2)));
        switch (random.Next(12))
        {
            case 0 or 1 or 2:
                TestFrame headers = role == Http2Role.Server
                    ? TestFrame.HeadersOf(nextId, random.Next(4) == 0, (":method", "CONNECT"), (":authority", "a:1"), ("baggage", "k=v"))
                    : TestFrame.HeadersOf(id, random.Next(4) == 0, (":status", random.Next(2) == 0 ? "200" : "503"), ("baggage", "k=v"));
                nextId += 2;
                if (random.Next(3) == 0)
                    headers.Payload[random.Next(headers.Payload.Length)] ^= (byte)(1 << random.Next(8));
                return random.Next(6) == 0 ? headers with { Flags = (byte)random.Next(256) } : headers;
            case 3 or 4 or 5:
                return new TestFrame(TestFrame.Data, (byte)(random.Next(3) == 0 ? TestFrame.Padded | random.Next(2) : random.Next(2)), id, new byte[random.Next(300)]);
            case 6:
                return TestFrame.WindowUpdate(id, (uint)random.Next(100_000));
            case 7:
                return TestFrame.Reset(id, Http2ErrorCode.Cancel);
            case 8:
                return TestFrame.Settings(((ushort)random.Next(1, 9), (uint)random.Next(100_000)));
            case 9:
                return TestFrame.PingOf((ulong)random.NextInt64(), ack: random.Next(2) == 0);
            case 10:
                return random.Next(8) == 0 ? TestFrame.GoAway(random.Next(9), Http2ErrorCode.NoError) : TestFrame.HeadersOf(id, endStream: true, ("x", "1"));
            default:
                var payload = new byte[random.Next(20)];
                random.NextBytes(payload);
                return new TestFrame((byte)random.Next(12), (byte)random.Next(256), id, payload);
        }
    }

    private static void OnData(Http2Stream stream, int length, Random random)
    {
        if (random.Next(2) == 0)
            stream.Credit(length);
        React(stream, random);
    }

    private static void React(Http2Stream stream, Random random)
    {
        switch (random.Next(8))
        {
            case 0 when !stream.IsAnswered && stream.Connection.Role == Http2Role.Server:
                stream.Respond(200, "k=v", endStream: false);
                break;
            case 1 when !stream.IsAnswered && stream.Connection.Role == Http2Role.Server:
                stream.Respond(503, baggage: null, endStream: true);
                break;
            case 2:
                stream.Reset(Http2ErrorCode.Cancel);
                break;
            case 3 when stream.Connection.ActiveStreams > 5:
                stream.Connection.StartGracefulShutdown(0);
                break;
            case 4 when random.Next(20) == 0:
                stream.Connection.GoAway(Http2ErrorCode.InternalError, "test");
                break;
            case 5 when random.Next(20) == 0:
                stream.Connection.TakeStreams();
                break;
        }
    }
}
