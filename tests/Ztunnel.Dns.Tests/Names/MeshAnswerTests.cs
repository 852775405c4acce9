using Ztunnel.Dns.Messages;
using Ztunnel.Dns.Names;
using Ztunnel.Dns.Tests.Reference;
using Ztunnel.Dns.Tests.Serving;
using Ztunnel.Mesh.State;

namespace Ztunnel.Dns.Tests.Names;

public sealed class MeshAnswerTests
{
    /// <summary>Every recorded query that the mesh answers, or has to find out that it does not.</summary>
    [Fact]
    public void Create_AllocatesNothing()
    {
        MeshSnapshot mesh = DnsBench.RecordedMesh().Current;
        var client = new DnsClient(mesh.FindLocalWorkload(new LocalWorkloadKey("a", "default", "a"))!, new ClientNames("default", "cluster.local", null, null), IPv6Enabled: true, new Random(1));
        byte[][] queries = [.. RecordedQuery.All.Select(static query => query.Sent).Where(static sent => DnsQuery.Read(sent, out _) == QueryVerdict.Accepted)];
        byte[] output = new byte[MeshAnswer.OutputBytes];
        AnswerAll();

        long before = GC.GetAllocatedBytesForCurrentThread();
        int answered = AnswerAll();

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.InRange(answered, 25, queries.Length);

        int AnswerAll()
        {
            int count = 0;
            Span<char> text = stackalloc char[WireName.LongestBytes];
            foreach (byte[] sent in queries)
            {
                DnsQuery.Read(sent, out DnsQuery query);
                if (WireName.TryReadText(query.Name, text, out int length))
                    count += MeshAnswer.Create(mesh, client, query, text[..length], output, query.UdpLimit).Length > 0 ? 1 : 0;
            }

            return count;
        }
    }
}
