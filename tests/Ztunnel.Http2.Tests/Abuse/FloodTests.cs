using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.Abuse;

/// <summary>
/// Everything that costs the peer a few bytes and us some work, without end: each is ended with ENHANCE_YOUR_CALM after a counted number of steps, keeps no memory and harms nobody else.
/// </summary>
public sealed class FloodTests
{
    private const int Limit = 100_000;

    // What one step may leave behind: a stream, the strings of its request, the buffers of a flush.
    private const int BytesPerStep = 1_500;

    private static readonly Dictionary<string, Flood> All = new()
    {
        // Streams opened for nothing.
        ["rapid reset"] = new(Http2Role.Server, "too_many_resets", 2_001, static i => [Open(i), TestFrame.Reset(Id(i), Http2ErrorCode.Cancel)]),
        ["streams above the limit"] = new(Http2Role.Server, "too_many_internal_resets", 1_025, static i => [Open(i)]) { Streams = 1, Settings = Http2Settings.ForServer with { MaxConcurrentStreams = 1 }, Before = 1 },
        ["malformed requests"] = new(Http2Role.Server, "too_many_internal_resets", 1_025, static i => [TestFrame.HeadersOf(Id(i), false, (":method", "GET"))]),
        ["header lists above the limit"] = new(Http2Role.Server, "too_many_internal_resets", 1_025, static i => [TestFrame.Connect(Id(i))]) { Settings = Http2Settings.ForServer with { MaxHeaderListBytes = 60 } },

        // "Made you reset": the peer keeps a rule of HTTP/2 broken on one stream after the other, and we reset them.
        ["window update of zero"] = new(Http2Role.Server, "too_many_internal_resets", 1_025, static i => [Open(i), TestFrame.WindowUpdate(Id(i), 0)]),
        ["window update that overflows"] = new(Http2Role.Server, "too_many_internal_resets", 1_025, static i => [Open(i), TestFrame.WindowUpdate(Id(i), int.MaxValue)]),
        ["data behind the end"] = new(Http2Role.Server, "too_many_internal_resets", 1_025, static i => [Open(i, true), TestFrame.DataOf(Id(i), 1)]),
        ["headers behind the end"] = new(Http2Role.Server, "too_many_internal_resets", 1_025, static i => [Open(i, true), TestFrame.HeadersOf(Id(i), true, ("x", "1"))]),
        ["trailers without the end"] = new(Http2Role.Server, "too_many_internal_resets", 1_025, static i => [Open(i), TestFrame.HeadersOf(Id(i), false, ("x", "1"))]),
        ["priority of four bytes"] = new(Http2Role.Server, "too_many_internal_resets", 1_025, static i => [Open(i), new TestFrame(TestFrame.Priority, 0, Id(i), new byte[4])]),
        ["data above the window"] = new(Http2Role.Server, "too_many_internal_resets", 1_025, static i => [Open(i), TestFrame.DataOf(Id(i), 101)]) { Settings = Http2Settings.ForServer with { InitialStreamWindowBytes = 100 } },
        ["data on closed streams"] = new(Http2Role.Server, "too_many_internal_resets", 1_025, static i => [Open(i), TestFrame.Reset(Id(i), Http2ErrorCode.Cancel), TestFrame.DataOf(Id(i), 1)]),
        ["answers that are none"] = new(Http2Role.Client, "too_many_internal_resets", 1_025, static i => [TestFrame.HeadersOf(Id(i), false, ("x", "1"))]) { Opens = true },
        ["data before the answer"] = new(Http2Role.Client, "too_many_internal_resets", 1_025, static i => [TestFrame.DataOf(Id(i), 1)]) { Opens = true },

        // Frames for streams that are gone.
        ["resets of a stream we reset"] = new(Http2Role.Server, "too_many_ignored_frames", 2_003, static i => i == 0 ? [Bad(1)] : [TestFrame.Reset(1, Http2ErrorCode.Cancel)]),
        ["resets of a stream that is closed"] = new(Http2Role.Server, "too_many_ignored_frames", 2_002, static i => i == 0 ? [TestFrame.Connect(1), TestFrame.Reset(1, Http2ErrorCode.Cancel)] : [TestFrame.Reset(1, Http2ErrorCode.Cancel)]),
        ["data on a stream we reset"] = new(Http2Role.Server, "too_many_ignored_frames", 2_002, static i => i == 0 ? [Bad(1)] : [TestFrame.DataOf(1, 10)]),
        ["headers on a stream we reset"] = new(Http2Role.Server, "too_many_ignored_frames", 2_002, static i => i == 0 ? [Bad(1)] : [TestFrame.HeadersOf(1, true, ("x", "1"))]),
        ["window updates of a closed stream"] = new(Http2Role.Server, "too_many_window_updates", 10_002, static i => i == 0 ? [TestFrame.Connect(1), TestFrame.Reset(1, Http2ErrorCode.Cancel)] : [TestFrame.WindowUpdate(1, 1)]),

        // Frames of the connection, to either role.
        ["settings"] = new(null, "too_many_settings", 101, static _ => [TestFrame.Settings()]),
        ["settings acknowledgements nobody waits for"] = new(null, "too_many_settings", 101, static _ => [new TestFrame(TestFrame.SettingsType, TestFrame.Ack, 0, [])]),
        ["settings that move every window"] = new(Http2Role.Server, "too_many_settings", 101, static i => [TestFrame.Settings((4, i % 2 == 0 ? 0u : 1_000_000u))]) { Before = 200 },
        ["pings"] = new(null, "too_many_pings", 1_001, static i => [TestFrame.PingOf((ulong)i)]),
        ["ping acknowledgements nobody waits for"] = new(null, "too_many_pings", 1_001, static i => [TestFrame.PingOf((ulong)i, ack: true)]),
        ["goaways"] = new(null, "too_many_goaways", 21, static _ => [TestFrame.GoAway(int.MaxValue, Http2ErrorCode.NoError)]),
        ["window updates of the connection"] = new(null, "too_many_window_updates", 10_001, static _ => [TestFrame.WindowUpdate(0, 1)]),
        ["priorities of streams that nobody opened"] = new(null, "too_many_ignored_frames", 2_001, static i => [new TestFrame(TestFrame.Priority, 0, Id(i), new byte[5])]),
        ["frames of unknown types"] = new(null, "too_many_ignored_frames", 2_001, static i => [new TestFrame((byte)(0x20 + (i % 100)), 0xff, i, new byte[i % 50])]),
        ["interim answers"] = new(Http2Role.Client, "too_many_ignored_frames", 2_001, static _ => [TestFrame.HeadersOf(1, false, (":status", "103"))]) { Before = 1 },

        // DATA that brings nothing.
        ["data without a byte"] = new(null, "too_many_empty_frames", 1_001, static _ => [TestFrame.DataOf(1, 0)]) { Before = 1, Answered = true },
        ["data of padding, none of it"] = new(null, "too_many_empty_frames", 1_001, static _ => [new TestFrame(TestFrame.Data, TestFrame.Padded, 1, [0])]) { Before = 1, Answered = true },
        ["data of padding, as much as fits"] = new(null, "too_many_empty_frames", 1_001, static _ => [new TestFrame(TestFrame.Data, TestFrame.Padded, 1, [255, .. new byte[255]])]) { Before = 1, Answered = true },

        // Header sections that do not end.
        ["continuations without a byte"] = new(Http2Role.Server, "too_many_continuations", 34, static i => [new TestFrame(i == 0 ? TestFrame.Headers : TestFrame.Continuation, 0, 1, [])]),
        ["continuations of one byte, of an answer"] = new(Http2Role.Client, "too_many_continuations", 34, static i => [new TestFrame(i == 0 ? TestFrame.Headers : TestFrame.Continuation, 0, 1, [0])]) { Before = 1 },
        ["continuations as large as they may be"] = new(Http2Role.Server, "header_section_too_large", 4, static i => [new TestFrame(i == 0 ? TestFrame.Headers : TestFrame.Continuation, 0, 1, new byte[60_000])]) { Bytes = 1_000_000 },
    };

    public static TheoryData<string, Http2Role> Floods
    {
        get
        {
            var data = new TheoryData<string, Http2Role>();
            foreach ((string name, Flood flood) in All)
            {
                if (flood.Role is not Http2Role.Client)
                    data.Add(name, Http2Role.Server);
                if (flood.Role is not Http2Role.Server)
                    data.Add(name, Http2Role.Client);
            }
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Floods))]
    public void Flood_IsEndedAfterACountedNumberOfSteps(string name, Http2Role role)
    {
        Flood flood = All[name];
        var attack = new Attack(role, flood.Settings) { Answers = flood.Answered && role == Http2Role.Server ? 200 : 0 };
        Prepare(attack, flood, role);

        attack.Run(
            i =>
            {
                if (flood.Opens)
                    Assert.NotNull(attack.Connection.OpenStream(RawPeer.Request(), owner: null));
                return flood.Step(i + flood.Streams);
            },
            Limit);

        attack.AssertCalmed(flood.Reason);
        Assert.InRange(attack.Steps, 1, flood.MaxSteps);
        Assert.InRange(attack.PeakStreams, 0, 200);
        Assert.InRange(attack.AllocatedBytes, 0, flood.Bytes + ((long)attack.Steps * BytesPerStep));
    }

    private static void Prepare(Attack attack, Flood flood, Http2Role role)
    {
        for (int i = 0; i < flood.Before; i++)
        {
            if (role == Http2Role.Client)
                attack.Connection.OpenStream(RawPeer.Request(), owner: null);
        }
        if (role == Http2Role.Client && flood.Answered)
            attack.Feed(TestFrame.Ok(1).ToBytes());
        else if (role == Http2Role.Server)
            attack.Open(flood.Before);
    }

    private static int Id(int i) => (2 * i) + 1;

    private static TestFrame Open(int i, bool endStream = false) => TestFrame.Connect(Id(i), endStream: endStream);

    private static TestFrame Bad(int streamId) => TestFrame.HeadersOf(streamId, endStream: false, (":method", "GET"));

    /// <param name="Role">Whom it is aimed at; null: either.</param>
    /// <param name="Reason">What the connection says at its end.</param>
    /// <param name="MaxSteps">After how many steps at the latest.</param>
    /// <param name="Step">The frames of one step.</param>
    private sealed record Flood(Http2Role? Role, string Reason, int MaxSteps, Func<int, TestFrame[]> Step)
    {
        /// <summary>Streams that are open when it begins, from 1 on.</summary>
        public int Before { get; init; }

        /// <summary>They were answered with 200.</summary>
        public bool Answered { get; init; }

        /// <summary>Steps open streams behind these.</summary>
        public int Streams { get; init; }

        /// <summary>We open a stream before each step, as a client that retries.</summary>
        public bool Opens { get; init; }

        public Http2Settings? Settings { get; init; }

        public int Bytes { get; init; } = 200_000;
    }
}
