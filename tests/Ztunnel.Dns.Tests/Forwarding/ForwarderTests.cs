using System.Net;
using System.Net.Sockets;
using Ztunnel.Dns.Forwarding;
using Ztunnel.Dns.Tests.Reference;
using Ztunnel.Dns.Tests.Serving;

namespace Ztunnel.Dns.Tests.Forwarding;

/// <summary>Resolvers that answer, do not, or lie (data-path 7.6).</summary>
public sealed class ForwarderTests
{
    private static readonly byte[] Query = RecordedQuery.All.First(static query => query.Title == "upstream A").Sent;

    [Fact]
    public async Task Answer_IsPassedOn_WithoutAuthority()
    {
        using var resolver = new TestResolver(static (query, _) =>
        {
            byte[] answer = TestResolver.Answer(query, 7);
            answer[2] |= 0x04;
            return [answer];
        });
        await using var dns = new DnsBench(To(resolver));

        byte[] answer = await dns.AskAsync(Query);

        Assert.Equal(TestResolver.Answer(Query, 7), answer);
    }

    /// <summary>Wrong id, wrong name, wrong type, a query, another opcode, two questions, too short: none is taken, and the true answer still is.</summary>
    [Fact]
    public async Task Lies_AreIgnored()
    {
        using var resolver = new TestResolver(static (query, _) =>
        {
            byte[] good = TestResolver.Answer(query, 1);
            byte[] lie = TestResolver.Answer(query, 66);
            return
            [
                With(lie, 0, (byte)(lie[0] ^ 0x55)), With(lie, 13, (byte)'x'), With(lie, 24, 28), With(lie, 26, 3),
                With(lie, 2, (byte)(lie[2] & 0x7F)), With(lie, 2, (byte)(lie[2] | 0x28)), With(lie, 5, 2), lie[..12], lie[..5], [], good,
            ];
        });
        await using var dns = new DnsBench(To(resolver));

        Assert.Equal([IPAddress.Parse("192.0.2.1")], new ParsedAnswer(await dns.AskAsync(Query)).Addresses);
    }

    /// <summary>Right id and question from another address.</summary>
    [Fact]
    public async Task OffPathSource_IsIgnored()
    {
        using var other = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        other.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        TestResolver? resolver = null;
        using TestResolver created = resolver = new TestResolver((query, _) =>
        {
            other.SendTo(TestResolver.Answer(query, 66), resolver!.Seen.Last().From);
            return [TestResolver.Answer(query, 1)];
        });
        await using var dns = new DnsBench(To(resolver));

        Assert.Equal([IPAddress.Parse("192.0.2.1")], new ParsedAnswer(await dns.AskAsync(Query)).Addresses);
    }

    [Fact]
    public async Task FirstResolverRefusesThePort_SecondAnswersAtOnce()
    {
        using var resolver = new TestResolver(static (query, _) => [TestResolver.Answer(query, 2)]);
        await using var dns = new DnsBench(new ResolverConfiguration { Servers = [TestResolver.UnusedAddress(), resolver.Address] });

        Assert.Equal([IPAddress.Parse("192.0.2.2")], new ParsedAnswer(await dns.AskAsync(Query)).Addresses);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    public async Task FirstResolverSaysError_SecondIsAsked(int code)
    {
        using var first = new TestResolver((query, _) => [TestResolver.Answer(query, 0, code)]);
        using var second = new TestResolver(static (query, _) => [TestResolver.Answer(query, 2)]);
        await using var dns = new DnsBench(new ResolverConfiguration { Servers = [first.Address, second.Address] });

        Assert.Equal([IPAddress.Parse("192.0.2.2")], new ParsedAnswer(await dns.AskAsync(Query)).Addresses);
    }

    /// <summary>A silent resolver costs one second, not its whole time limit; afterwards the other one is asked first.</summary>
    [Fact]
    public async Task FirstResolverSilent_SecondAnswers_AndIsPreferred()
    {
        using var silent = new TestResolver(static (_, _) => []);
        using var second = new TestResolver(static (query, _) => [TestResolver.Answer(query, 2)]);
        await using var dns = new DnsBench(new ResolverConfiguration { Servers = [silent.Address, second.Address], Timeout = TimeSpan.FromSeconds(1), Attempts = 2 });

        Assert.Equal([IPAddress.Parse("192.0.2.2")], new ParsedAnswer(await dns.AskAsync(Query)).Addresses);
        Assert.Equal([IPAddress.Parse("192.0.2.2")], new ParsedAnswer(await dns.AskAsync(Query)).Addresses);

        Assert.Single(silent.Seen);
        Assert.Equal(2, second.Seen.Count);
    }

    [Fact]
    public async Task CutAnswer_IsFetchedOverTcp_ForStreams_AndPassedOnForDatagrams()
    {
        using var resolver = new TestResolver(static (query, isStream) =>
        {
            byte[] answer = TestResolver.Answer(query, isStream ? (byte)9 : (byte)8);
            if (!isStream)
                answer[2] |= 0x02;
            return [answer];
        });
        await using var dns = new DnsBench(To(resolver));

        Assert.True(new ParsedAnswer(await dns.AskAsync(Query)).IsTruncated);
        Assert.Equal([IPAddress.Parse("192.0.2.9")], new ParsedAnswer(await dns.AskStreamAsync(Query)).Addresses);
    }

    /// <summary>A byte now and then is no answer: the query is held for as long as silence would hold it, not for as long as bytes come.</summary>
    [Fact]
    public async Task AnswerOverTcpDrips_IsGivenUpInTime()
    {
        using var resolver = new TestResolver(
            static (query, isStream) =>
            {
                byte[] answer = TestResolver.Answer(query, 9);
                if (!isStream)
                    answer[2] |= 0x02;
                return [answer];
            },
            streamPace: TimeSpan.FromSeconds(1));
        await using var dns = new DnsBench(To(resolver));

        Assert.Equal(2, new ParsedAnswer(await dns.AskStreamAsync(Query)).Code);
    }

    [Fact]
    public async Task AnswerLargerThanTheClientTakes_IsCut()
    {
        using var resolver = new TestResolver(static (query, _) => [[.. TestResolver.Answer(query, 1), .. new byte[600]]]);
        await using var dns = new DnsBench(To(resolver));

        byte[] answer = await dns.AskAsync(Query);

        Assert.Equal(Query.Length, answer.Length);
        Assert.True(new ParsedAnswer(answer).IsTruncated);
    }

    [Fact]
    public async Task Queries_HaveRandomIdsAndPorts()
    {
        using var resolver = new TestResolver(static (query, _) => [TestResolver.Answer(query, 1)]);
        await using var dns = new DnsBench(To(resolver));

        for (int count = 0; count < 40; count++)
            await dns.AskAsync(Query);

        ushort[] ids = [.. resolver.Seen.Select(static seen => seen.Id)];
        Assert.InRange(ids.Distinct().Count(), 38, 40);
        Assert.DoesNotContain((ushort)0x1234, ids[..1]);
        Assert.InRange(ids.Zip(ids[1..], static (one, next) => (ushort)(next - one)).Distinct().Count(), 36, 39);
    }

    /// <summary>What a resolver that hangs can hold is bounded, and whoever is above it hears so at once.</summary>
    [Fact]
    public async Task TooManyWaiting_IsRefused()
    {
        using var resolver = new TestResolver(static (_, _) => []);
        await using var dns = new DnsBench(new ResolverConfiguration { Servers = [resolver.Address], Timeout = TimeSpan.FromSeconds(30), Attempts = 1 });
        using Socket socket = dns.Connect();

        for (int count = 0; count < Forwarder.MostInFlight; count++)
        {
            await socket.SendAsync(Query);
            if (count % 100 == 0) // answered in order with the rest, so that no buffer overflows
                await dns.AskAsync(RecordedQuery.All[0].Sent);
        }

        Assert.Equal(5, new ParsedAnswer(await dns.AskAsync(Query)).Code);
        Assert.Equal(0, new ParsedAnswer(await dns.AskAsync(RecordedQuery.All[0].Sent)).Code);
    }

    [Fact]
    public async Task Stream_ManyQueriesInOneFlight_AllAreAnswered()
    {
        using var resolver = new TestResolver(static (query, _) => [TestResolver.Answer(query, 1)]);
        await using var dns = new DnsBench(To(resolver));
        using var client = new TcpClient();
        await client.ConnectAsync(dns.Address);
        byte[] known = RecordedQuery.All[0].Sent;
        var flight = new List<byte>();
        for (int id = 0; id < 100; id++)
        {
            byte[] query = id % 2 == 0 ? [.. Query] : [.. known];
            query[1] = (byte)id;
            flight.AddRange(DnsBench.Framed(query));
        }

        // In pieces that respect no border.
        foreach (byte[] piece in flight.Chunk(1009))
            await client.GetStream().WriteAsync(piece);

        var seen = new HashSet<byte>();
        for (int count = 0; count < 100; count++)
        {
            byte[] answer = await DnsBench.ReadFrameAsync(client.GetStream());
            Assert.Equal(0, new ParsedAnswer(answer).Code);
            Assert.True(seen.Add(answer[1]));
        }
    }

    /// <summary>A query that waits for a resolver of before goes on to those of now; the next ones know no other.</summary>
    [Fact]
    public async Task ConfigurationChanges_QueriesGoToTheResolversOfNow()
    {
        var asked = new TaskCompletionSource();
        using var former = new TestResolver((_, _) =>
        {
            asked.TrySetResult();
            return [];
        });
        using var present = new TestResolver(static (query, _) => [TestResolver.Answer(query, 2)]);
        await using var dns = new DnsBench(To(former));
        Task<byte[]> waiting = dns.AskAsync(Query);
        await asked.Task.WaitAsync(DnsBench.Limit);

        dns.Resolver.Publish(To(present));

        Assert.Equal([IPAddress.Parse("192.0.2.2")], new ParsedAnswer(await dns.AskAsync(Query)).Addresses);
        Assert.Equal([IPAddress.Parse("192.0.2.2")], new ParsedAnswer(await waiting).Addresses);
        Assert.Single(former.Seen);
    }

    [Fact]
    public async Task SearchListChanges_NamesAreCompletedAnew()
    {
        using var resolver = new TestResolver(static (query, _) => [TestResolver.Answer(query, 0, code: 3)]);
        await using var dns = new DnsBench(To(resolver), sharesResolverFile: true);
        byte[] query = RecordedQuery.All.First(static query => query.Title == "search domain appended (svc.cluster.local)").Sent;
        Assert.Equal(3, new ParsedAnswer(await dns.AskAsync(query)).Code);

        dns.Resolver.Publish(To(resolver) with { SearchDomains = ["default.svc.cluster.local", "svc.cluster.local"] });

        Assert.Equal(0, new ParsedAnswer(await dns.AskAsync(query)).Code);
    }

    /// <summary>DNS_PROXY_ADDR of all addresses: the answer, of the mesh or of a resolver, comes from the one that was asked.</summary>
    [Fact]
    public async Task AllAddresses_AnswerFromTheOneThatWasAsked()
    {
        using var resolver = new TestResolver(static (query, _) => [TestResolver.Answer(query, 2)]);
        await using var dns = new DnsBench(To(resolver), address: IPAddress.Any);
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        client.Connect(new IPEndPoint(IPAddress.Parse("127.0.0.2"), dns.Address.Port));
        byte[] answer = new byte[512];
        using var limit = new CancellationTokenSource(DnsBench.Limit);

        foreach (byte[] query in (byte[][])[RecordedQuery.All[0].Sent, Query])
        {
            await client.SendAsync(query);
            Assert.Equal(0, new ParsedAnswer(answer[..await client.ReceiveAsync(answer, limit.Token)]).Code);
        }
    }

    [Fact]
    public async Task NoResolvers_IsServFail()
    {
        await using var dns = new DnsBench(new ResolverConfiguration());

        Assert.Equal(2, new ParsedAnswer(await dns.AskAsync(Query)).Code);
    }

    private static ResolverConfiguration To(TestResolver resolver) => new() { Servers = [resolver.Address] };

    private static byte[] With(byte[] message, int at, byte value)
    {
        byte[] changed = [.. message];
        changed[at] = value;
        return changed;
    }
}
