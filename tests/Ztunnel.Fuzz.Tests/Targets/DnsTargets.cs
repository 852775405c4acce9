using Ztunnel.ControlPlane.LocalFile;
using Ztunnel.Dns.Forwarding;
using Ztunnel.Dns.Messages;
using Ztunnel.Dns.Names;
using Ztunnel.Dns.Tests.Reference;
using Ztunnel.Mesh.State;

namespace Ztunnel.Fuzz.Tests.Targets;

/// <summary>DNS of any program of a pod, of any resolver, and the resolver's file: nothing throws, and no answer is longer than its client can take or belongs to another question.</summary>
public sealed class DnsTargets
{
    // What was recorded, questions and answers: real messages reach further into the readers than made-up ones.
    private static readonly byte[][] Messages =
    [
        .. RecordedQuery.All.Select(static query => query.Sent).Where(static bytes => bytes.Length > 0),
        .. RecordedQuery.All.Where(static query => query is { Got: not null, IsCut: false }).Select(static query => query.Got!),
    ];

    private static readonly string[] ResolverLines = Seeds.Lines("resolv-conf");
    private static readonly MeshSnapshot Recorded = LoadRecorded();

    [Fact]
    public void Query_OfAnyBytes_IsAnsweredWithinItsLimit() => FuzzRun.Cases("dns query", 10_000, static input =>
    {
        byte[] message = input.OneIn(8) ? input.Bytes(200) : input.OneIn(6) ? input.Pick(Messages) : input.Damage(input.Pick(Messages));
        byte[] output = new byte[MeshAnswer.OutputBytes];
        switch (DnsQuery.Read(message, out DnsQuery query))
        {
            case QueryVerdict.Drop:
                Assert.True(message.Length < DnsHeader.Bytes || (message[2] & 0x80) != 0, "a question was dropped");
                break;
            case QueryVerdict.Accepted:
                Answer(query, input, output);
                break;
            default:
                Assert.InRange(AnswerWriter.WriteError(output, query, ResponseCode.FormErr), DnsHeader.Bytes, message.Length);
                break;
        }
    });

    [Fact]
    public void UpstreamAnswer_OfAnyBytes_IsTakenForItsQuestionOnly() => FuzzRun.Cases("dns answer", 10_000, static input =>
    {
        byte[] asked = input.Pick(Messages);
        if (DnsQuery.Read(asked, out DnsQuery query) != QueryVerdict.Accepted)
            return;
        byte[] answer = input.OneIn(3) ? input.Damage(input.Pick(Messages)) : input.Damage([.. asked[..2], 0x81, 0x80, .. asked[4..]]);
        int end = query.QuestionEnd;
        if (!UpstreamAnswer.Answers(answer, asked, end))
            return;

        Assert.True(Convert.ToHexString(answer, end - 4, 4) == Convert.ToHexString(asked, end - 4, 4), "another type or class");
        UpstreamAnswer.Adapt(answer, asked, end);
        Assert.Equal(Convert.ToHexString(asked, 0, 2) + Convert.ToHexString(asked, 12, end - 12), Convert.ToHexString(answer, 0, 2) + Convert.ToHexString(answer, 12, end - 12));
        Assert.Equal(end, UpstreamAnswer.Truncate(answer, end));
    });

    [Fact]
    public void ResolverFile_OfAnyText_GivesBoundedSettings() => FuzzRun.Cases("resolv.conf", 10_000, static input =>
    {
        string text = input.OneIn(6) ? input.Text() : input.Damage(string.Join('\n', Enumerable.Range(0, 1 + input.Below(12)).Select(_ => input.Pick(ResolverLines))));

        ResolverConfiguration read = ResolverConfiguration.Parse(text);

        Assert.InRange(read.Servers.Count, 0, 8);
        Assert.All(read.Servers, static server => Assert.Equal(53, server.Port));
        Assert.InRange(read.Timeout, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30));
        Assert.InRange(read.Attempts, 1, 5);
        // A search list of any text makes names, never an exception.
        _ = new ClientNames("default", "cluster.local", null, read.SearchDomains);
    });

    private static void Answer(DnsQuery query, FuzzInput input, byte[] output)
    {
        var names = new ClientNames("default", "cluster.local", null, input.OneIn(4) ? [input.Text(), input.Text()] : null);
        var client = new DnsClient(Recorded.FindLocalWorkload(new LocalWorkloadKey("a", "default", "a"))!, names, IPv6Enabled: input.OneIn(2), new Random(input.Below(1000)));
        Span<char> text = stackalloc char[WireName.LongestBytes];
        Assert.NotEqual("", WireName.Describe(query.Name));
        if (!WireName.TryReadText(query.Name, text, out int length))
            return;
        MeshAnswer answer = MeshAnswer.Create(Recorded, client, query, text[..length], output, query.UdpLimit);
        int bytes = answer.Verdict == MeshVerdict.NotOurs ? SpecialNames.Answer(query, text[..length], output, query.UdpLimit) : answer.Length;
        if (bytes == 0)
            return;
        Assert.InRange(bytes, query.QuestionEnd, Math.Max(query.UdpLimit, query.QuestionEnd));
        _ = new ParsedAnswer(output[..bytes]);
    }

    private static MeshSnapshot LoadRecorded()
    {
        LocalMesh mesh = LocalFileReader.Read(File.OpenText(Path.Combine(AppContext.BaseDirectory, "Reference", "mesh.yaml")), "mesh.yaml");
        var store = new MeshStore("node-a");
        store.Replace(new MeshUpdate { Workloads = [.. mesh.Workloads], Services = [.. mesh.Services], Policies = [.. mesh.Policies] });
        return store.Current;
    }
}
