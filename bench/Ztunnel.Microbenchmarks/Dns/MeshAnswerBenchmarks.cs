using System.Text;
using BenchmarkDotNet.Attributes;
using Ztunnel.Dns.Messages;
using Ztunnel.Dns.Names;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;
using Ztunnel.Microbenchmarks.Mesh;

namespace Ztunnel.Microbenchmarks.Dns;

/// <summary>What does it cost to read a query and answer it from a mesh of 10,000 services, by full name, by short name, and to find that a name is not ours?</summary>
[MemoryDiagnoser]
public class MeshAnswerBenchmarks
{
    private readonly byte[] _output = new byte[MeshAnswer.OutputBytes];
    private readonly byte[] _full = Query("echo.default.svc.cluster.local");
    private readonly byte[] _short = Query("echo");
    private readonly byte[] _foreign = Query("www.somewhere.example.com");
    private MeshSnapshot _mesh = MeshSnapshot.Empty;
    private DnsClient _client = null!;

    [GlobalSetup]
    public void SetUp()
    {
        var store = new MeshStore();
        Workload pod = BenchMesh.Pod("client", 1);
        store.Replace(new MeshUpdate
        {
            Workloads = [pod],
            Services = [BenchMesh.Service, .. Enumerable.Range(0, 9_999).Select(static index => BenchMesh.Service with { Name = $"s{index}", Hostname = $"s{index}.default.svc.cluster.local" })],
        });
        _mesh = store.Current;
        _client = new DnsClient(pod, new ClientNames("default", "cluster.local", null, null), IPv6Enabled: true, new Random(1));
    }

    [Benchmark(Baseline = true)]
    public int FullName() => Expect(_full, MeshVerdict.Success);

    [Benchmark]
    public int ShortName() => Expect(_short, MeshVerdict.Success);

    [Benchmark]
    public int NotOurs() => Expect(_foreign, MeshVerdict.NotOurs);

    private int Expect(byte[] message, MeshVerdict verdict)
    {
        DnsQuery.Read(message, out DnsQuery query);
        Span<char> text = stackalloc char[WireName.LongestBytes];
        WireName.TryReadText(query.Name, text, out int length);
        MeshAnswer answer = MeshAnswer.Create(_mesh, _client, query, text[..length], _output, query.UdpLimit);
        return answer.Verdict == verdict ? answer.Length : throw new InvalidOperationException($"{answer.Verdict} instead of {verdict}");
    }

    private static byte[] Query(string name)
    {
        IEnumerable<byte> labels = name.Split('.').SelectMany(static label => Encoding.ASCII.GetBytes(label).Prepend((byte)label.Length));
        return [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, .. labels, 0, 0, 1, 0, 1];
    }
}
