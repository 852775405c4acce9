using Ztunnel.Dns.Messages;
using Ztunnel.Dns.Names;
using Ztunnel.Dns.Tests.Reference;
using Ztunnel.Dns.Tests.Serving;
using Ztunnel.Mesh.State;

namespace Ztunnel.Dns.Tests.Fuzzing;

/// <summary>Bounded runs with fixed seeds over everything that reads bytes of others: nothing throws, loops, or answers more than the question allows.</summary>
public sealed class DnsFuzzTests
{
    private const int RoundsOfSeed = 40_000;

    private static readonly byte[][] Corpus =
    [
        .. RecordedQuery.All.Select(static query => query.Sent).Where(static bytes => bytes.Length > 0),
        .. RecordedQuery.All.Where(static query => query is { Got: not null, IsCut: false }).Select(static query => query.Got!),
        [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xC0, 12, 0, 1, 0, 1], // a pointer to itself
        [0, 1, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1, (byte)'a', 0, 0, 1, 0, 1, 0xC0, 19, 0, 1, 0, 1],
        [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1], // the root
        [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, .. Enumerable.Repeat((byte[])[63, .. Enumerable.Repeat((byte)'a', 63)], 4).SelectMany(static label => label), 0, 0, 1, 0, 1], // 257 bytes
        [0, 1, 1, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 2, 1, (byte)'a', 0, 0, 1, 0, 1, 0, 0, 41, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 41, 0, 1, 0, 0, 0, 0, 0, 0], // two OPT
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Queries_AnyBytes_AreAnsweredWithinLimits(int seed)
    {
        MeshSnapshot mesh = DnsBench.RecordedMesh().Current;
        var client = new DnsClient(mesh.FindLocalWorkload(new LocalWorkloadKey("a", "default", "a"))!, new ClientNames("default", "cluster.local", null, null), IPv6Enabled: true, new Random(seed));
        var random = new Random(seed);
        byte[] output = new byte[MeshAnswer.OutputBytes];
        int answered = 0;
        for (int round = 0; round < RoundsOfSeed; round++)
        {
            byte[] message = round < Corpus.Length ? Corpus[round] : Mutate(random);
            QueryVerdict verdict = DnsQuery.Read(message, out DnsQuery query);
            switch (verdict)
            {
                case QueryVerdict.Drop:
                    Assert.True(message.Length < DnsHeader.Bytes || (message[2] & 0x80) != 0);
                    break;
                case QueryVerdict.Accepted:
                    answered += Answer(mesh, client, query, output);
                    break;
                default:
                    Assert.InRange(AnswerWriter.WriteError(output, query, ResponseCode.FormErr), DnsHeader.Bytes, message.Length);
                    break;
            }
        }

        Assert.InRange(answered, RoundsOfSeed / 100, RoundsOfSeed); // the corpus still reaches the mesh
    }

    [Fact]
    public void Answers_AnyBytes_MatchOnlyTheirQuestion()
    {
        var random = new Random(4);
        byte[] query = RecordedQuery.All.First(static recorded => recorded.Title == "upstream A").Sent;
        int matched = 0;
        for (int round = 0; round < RoundsOfSeed; round++)
        {
            byte[] answer = round % 4 == 0 ? [.. query[..2], .. Mutate(random).Skip(2)] : Mutate(random);
            if (!UpstreamAnswer.Answers(answer, query, query.Length))
                continue;
            matched++;
            UpstreamAnswer.Adapt(answer, query, query.Length);
            Assert.Equal(query[12..], answer[12..query.Length]);
            Assert.Equal(query.Length, UpstreamAnswer.Truncate(answer, query.Length));
        }

        Assert.InRange(matched, 1, RoundsOfSeed);
    }

    private static int Answer(MeshSnapshot mesh, DnsClient client, DnsQuery query, byte[] output)
    {
        Span<char> text = stackalloc char[WireName.LongestBytes];
        Assert.NotEmpty(WireName.Describe(query.Name));
        if (!WireName.TryReadText(query.Name, text, out int length))
            return 0;
        MeshAnswer answer = MeshAnswer.Create(mesh, client, query, text[..length], output, query.UdpLimit);
        int bytes = answer.Verdict == MeshVerdict.NotOurs ? SpecialNames.Answer(query, text[..length], output, query.UdpLimit) : answer.Length;
        if (bytes == 0)
            return 0;
        Assert.InRange(bytes, query.QuestionEnd, Math.Max(query.UdpLimit, query.QuestionEnd));
        _ = new ParsedAnswer(output[..bytes]);
        return 1;
    }

    private static byte[] Mutate(Random random)
    {
        byte[] message = [.. Corpus[random.Next(Corpus.Length)]];
        int changes = random.Next(4);
        for (int count = 0; count < changes && message.Length > 0; count++)
        {
            int at = random.Next(message.Length);
            switch (random.Next(5))
            {
                case 0: message[at] = (byte)random.Next(256); break;
                case 1: message[at] ^= (byte)(1 << random.Next(8)); break;
                case 2: message = message[..at]; break;
                case 3: message = [.. message[..at], .. Corpus[random.Next(Corpus.Length)][..random.Next(1, 12)], .. message[at..]]; break;
                default: message = [.. message[..at], .. message[Math.Min(message.Length, at + random.Next(1, 8))..]]; break;
            }
        }

        return message;
    }
}
