namespace Ztunnel.Http2.Tests.Support;

/// <summary>
/// A connection under attack, with a second one beside it that shares all that connections share. It counts instead of timing: frames taken before the end, streams shown to the owner, bytes kept for a
/// peer that does not read, and what receiving allocates.
/// </summary>
internal sealed class Attack
{
    private readonly CountingEvents _events = new();
    private readonly byte[] _output = new byte[64 * 1024];
    private readonly WindowBudget _budget = new(8 * 1024 * 1024);

    public Attack(Http2Role role, Http2Settings? settings = null)
    {
        settings = (settings ?? (role == Http2Role.Client ? Http2Settings.ForClient : Http2Settings.ForServer)) with { GrowthBudget = _budget };
        Bystander = RawPeer.OfServer(Http2Settings.ForServer with { GrowthBudget = _budget });
        Connection = new Http2Connection(role, settings, _events, nowMilliseconds: 0);
        Feed(role == Http2Role.Server ? [.. TestFrame.Preface, .. TestFrame.Settings().ToBytes()] : TestFrame.Settings().ToBytes());
        Connection.OnTick(10_000);    // what the set-up used is refilled
        Read();
        AllocatedBytes = 0;
    }

    public Http2Connection Connection { get; }

    public RawPeer Bystander { get; }

    /// <summary>Whether the attacker reads what we answer.</summary>
    public bool Reads { get; init; } = true;

    /// <summary>Status of the answer that every request gets at once; 0: none.</summary>
    public int Answers { get; init; }

    /// <summary>How many times the step was taken whole.</summary>
    public int Steps { get; private set; }

    public int Requests => _events.Requests;

    public int PeakStreams { get; private set; }

    public long AllocatedBytes { get; private set; }

    /// <summary>Bytes that wait for an attacker who does not read.</summary>
    public int UnreadBytes { get; private set; }

    public TestFrame? LastFrame { get; private set; }

    /// <summary>Repeats a step until the connection ends, or for so many times. Frames of a step are fed one by one.</summary>
    public void Run(Func<int, TestFrame[]> step, int limit)
    {
        _events.Answers = Answers;
        while (Steps < limit && !Connection.Result.IsClosed)
        {
            foreach (TestFrame frame in step(Steps))
                Feed(frame.ToBytes());
            if (Reads)
                Read();
            Steps++;
        }

        if (!Reads)
            UnreadBytes = Read();
    }

    /// <summary>Server: so many streams, from 1 on, answered as <see cref="Answers"/> says.</summary>
    public void Open(int streams)
    {
        _events.Answers = Answers;
        for (int i = 0; i < streams; i++)
            Feed(TestFrame.Connect((2 * i) + 1).ToBytes());
        Read();
        AllocatedBytes = 0;
    }

    public Http2ReceiveResult Feed(byte[] bytes)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        Http2ReceiveResult result = Connection.Receive(bytes, baseOffset: 0);
        AllocatedBytes += GC.GetAllocatedBytesForCurrentThread() - before;
        PeakStreams = Math.Max(PeakStreams, Connection.ActiveStreams);
        return result;
    }

    /// <summary>The connection ended because of this, said so as its last word, and nobody else noticed.</summary>
    public void AssertCalmed(string reason)
    {
        Assert.Equal((Http2ErrorCode.EnhanceYourCalm, reason), (Connection.Result.Code, Connection.Result.Text));
        Assert.Equal((TestFrame.GoAwayType, (uint)Http2ErrorCode.EnhanceYourCalm, reason), (LastFrame!.Type, LastFrame.Code, LastFrame.Debug));
        AssertOthersAreServed();
    }

    public void AssertOthersAreServed()
    {
        Connection.TakeStreams();
        Connection.Release();
        Assert.Equal(0, _budget.InUseBytes);
        Http2Stream stream = Bystander.Accept(1);
        Bystander.Send(TestFrame.DataOf(1, 100_000), TestFrame.PingOf(9));
        Assert.Equal(100_000, stream.UnconsumedBytes);
        Assert.Equal(TestFrame.PingOf(9, ack: true).ToBytes(), Bystander.ReadBytes());
    }

    private int Read()
    {
        var bytes = new List<byte>();
        while (Connection.HasControlOutput)
            bytes.AddRange(_output.AsSpan(0, Connection.WriteControl(_output)));
        byte[] all = [.. bytes];
        if (all.AsSpan().StartsWith(TestFrame.Preface))
            all = all[TestFrame.Preface.Length..];
        if (all.Length > 0)
            LastFrame = TestFrame.ReadAll(all)[^1];
        return all.Length;
    }

    private sealed class CountingEvents : IHttp2Events
    {
        public int Requests { get; private set; }

        public int Answers { get; set; }

        public void OnRequest(Http2Stream stream, in Http2Request request)
        {
            Requests++;
            if (Answers != 0)
                stream.Respond(Answers, Answers == 200 ? "k8s.namespace.name=default,service.name=echo" : null, endStream: Answers != 200);
        }

        public void OnResponse(Http2Stream stream, in Http2Response response)
        {
        }

        public void OnData(Http2Stream stream, int offset, int length) => stream.Credit(length);

        public void OnEndOfStream(Http2Stream stream)
        {
        }

        public void OnReset(Http2Stream stream, Http2ErrorCode code)
        {
        }

        public void OnSendWindow(Http2Stream stream)
        {
        }

        public void OnStreamClosed(Http2Stream stream)
        {
        }

        public void OnGoAway(int lastStreamId, Http2ErrorCode code, string debug)
        {
        }

        public void OnSettings()
        {
        }
    }
}
