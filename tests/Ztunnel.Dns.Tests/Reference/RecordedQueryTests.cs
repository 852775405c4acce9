using System.Net;
using Ztunnel.Dns.Forwarding;
using Ztunnel.Dns.Tests.Forwarding;
using Ztunnel.Dns.Tests.Serving;

namespace Ztunnel.Dns.Tests.Reference;

/// <summary>All 64 recorded queries (data-path 7): the same bytes as the reference, address records in any order, but for the better answers that are listed here with their reasons.</summary>
public sealed class RecordedQueryTests
{
    private static readonly string[] Unheard = ["QR=1", "11 bytes"];

    /// <summary>Ours differ, and why that is better.</summary>
    private static readonly Dictionary<string, string> Better = new(StringComparer.Ordinal)
    {
        ["mixed case"] = "the owner keeps the spelling of the query, which clients vary against forgers",
        ["large answer, UDP without EDNS"] = "512 bytes is the limit without EDNS (RFC 1035 4.2.1); the reference sends 4095",
        ["large answer, EDNS 4096"] = "later records point to the first one's name throughout, so that all 200 fit",
        ["large answer, TCP"] = "as before: 3280 bytes instead of 5760",
    };

    public static TheoryData<string, int> Comparable
    {
        get
        {
            var data = new TheoryData<string, int>();
            for (int index = 0; index < RecordedQuery.All.Count; index++)
            {
                if (!Better.ContainsKey(RecordedQuery.All[index].Title) && RecordedQuery.All[index] is { Got: not null, IsCut: false })
                    data.Add(RecordedQuery.All[index].Title, index);
            }

            return data;
        }
    }

    [Fact]
    public void Recording_HasAllQueries()
    {
        Assert.Equal(64, RecordedQuery.All.Count);
        Assert.All(Better.Keys, static title => Assert.Contains(RecordedQuery.All, query => query.Title == title));
    }

    [Theory]
    [MemberData(nameof(Comparable))]
    public async Task Answer_IsTheReferences(string title, int index)
    {
        RecordedQuery recorded = RecordedQuery.All[index];
        // Where the reference's own resolver was down or silent, so is ours.
        bool isSilent = title is "upstream down" or "upstream silent";
        using var resolver = new TestResolver((query, _) => isSilent ? [] : [WithId(recorded.Got!, query)]);
        IPEndPoint address = title == "upstream down" ? TestResolver.UnusedAddress() : resolver.Address;
        await using var dns = new DnsBench(new ResolverConfiguration { Servers = [address], Timeout = TimeSpan.FromSeconds(1), Attempts = 1 });

        byte[] answer = recorded.IsStream ? await dns.AskStreamAsync(recorded.Sent) : await dns.AskAsync(recorded.Sent);

        Assert.Equal(Convert.ToHexString(Sort(recorded.Got!)), Convert.ToHexString(Sort(answer)));
        bool isForwarded = (recorded.Got![2] & 0x04) == 0 && recorded.Got.Length > 12 && title is not ("localhost" or "reverse of loopback" or "name.invalid" or "name.onion" or "two questions" or "opcode NOTIFY");
        Assert.Equal(isForwarded && title != "upstream down", !resolver.Seen.IsEmpty);
    }

    [Fact]
    public async Task MixedCase_OwnerKeepsSpelling()
    {
        RecordedQuery recorded = Find("mixed case");
        await using var dns = new DnsBench(new ResolverConfiguration());

        var answer = new ParsedAnswer(await dns.AskAsync(recorded.Sent));

        Assert.Equal("WeB.DEFAULT.svc.cluster.local.", Assert.Single(answer.Records).Owner);
        Assert.Equal([IPAddress.Parse("10.99.1.1")], answer.Addresses);
    }

    [Theory]
    [InlineData("large answer, UDP without EDNS", 27, 512, true)]
    [InlineData("large answer, UDP EDNS 1232", 71, 1232, true)]
    [InlineData("large answer, EDNS 4096", 200, 4096, false)]
    [InlineData("large answer, TCP", 200, 65_535, false)]
    public async Task LargeAnswer_FillsTheLimit(string title, int records, int limit, bool isTruncated)
    {
        RecordedQuery recorded = Find(title);
        await using var dns = new DnsBench(new ResolverConfiguration());

        byte[] bytes = recorded.IsStream ? await dns.AskStreamAsync(recorded.Sent) : await dns.AskAsync(recorded.Sent);

        var answer = new ParsedAnswer(bytes);
        Assert.InRange(bytes.Length, 12, limit);
        Assert.Equal(isTruncated, answer.IsTruncated);
        Assert.Equal(records, answer.Addresses.Distinct().Count());
        Assert.Equal(records, answer.Records.Count);
        if (!Better.ContainsKey(title))
            Assert.Equal(recorded.GotBytes, bytes.Length);
    }

    /// <summary>An answer to an answer would make us a tool of reflection; less than a header has no id to answer to. What follows is answered.</summary>
    [Fact]
    public async Task Unanswerable_IsDropped()
    {
        Assert.Equal(Unheard, RecordedQuery.All.Where(static query => query.Got is null).Select(static query => query.Title));
        byte[] query = Find("service, full name, A").Sent;
        byte[] response = [.. query];
        response[2] |= 0x80;
        await using var dns = new DnsBench(new ResolverConfiguration());
        using System.Net.Sockets.Socket socket = dns.Connect();
        await socket.SendAsync(response);
        await socket.SendAsync(query.AsMemory(0, 11));
        await socket.SendAsync(query);

        byte[] answer = new byte[512];
        using var limit = new CancellationTokenSource(DnsBench.Limit);
        int length = await socket.ReceiveAsync(answer, limit.Token);

        Assert.Equal(Find("service, full name, A").Got, answer[..length]);
        Assert.Equal(0, socket.Available);
    }

    private static RecordedQuery Find(string title) => RecordedQuery.All.First(query => query.Title == title);

    private static byte[] WithId(byte[] answer, byte[] query) => [query[0], query[1], .. answer[2..]];

    // An answer without a question cannot be taken apart, and needs not.
    private static byte[] Sort(byte[] answer) => answer.Length > 12 ? new ParsedAnswer(answer).Sorted() : answer;
}
