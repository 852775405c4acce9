using Ztunnel.Dns.Tests.Reference;
using Ztunnel.Testing.Namespaces;

namespace Ztunnel.Namespace.Tests.Dns;

/// <summary>Applications of a captured pod ask with dig and with the C library, as they would in a cluster; the native binary answers (data-path 7).</summary>
public sealed class CapturedDnsTests(DnsPod pod) : IClassFixture<DnsPod>
{
    // Asked elsewhere: they need a resolver that is down or silent; the two without bytes are never answered.
    private static readonly HashSet<string> Elsewhere = ["upstream down", "upstream silent", "QR=1", "11 bytes"];

    // Ours differ, with the reasons, in RecordedQueryTests.
    private static readonly HashSet<string> Better = ["mixed case", "large answer, UDP without EDNS", "large answer, UDP EDNS 1232", "large answer, EDNS 4096", "large answer, TCP"];

    /// <summary>Mesh answers byte for byte; forwarded ones, which are dnsmasq's own bytes, by what they say.</summary>
    [NamespaceFact]
    public async Task RecordedQueries_AreAnsweredAsRecorded()
    {
        RecordedQuery[] queries = [.. RecordedQuery.All.Where(static query => !Elsewhere.Contains(query.Title) && !Better.Contains(query.Title))];

        IReadOnlyList<string> answers = await pod.AskAsync(queries.Select(static query => $"{(query.IsStream ? "tcp" : "udp")} {Convert.ToHexString(query.Sent)}"));

        Assert.Equal(queries.Length, answers.Count);
        foreach ((RecordedQuery query, string answer) in queries.Zip(answers))
            Assert.Equal((query.Title, Describe(query.Got!)), (query.Title, Describe(Convert.FromHexString(answer))));
    }

    [NamespaceTheory]
    [InlineData("ahostsv4", "web", "10.99.1.1")]
    [InlineData("ahostsv6", "web", "fd99::1:1")]
    [InlineData("ahostsv4", "web.default", "10.99.1.1")]
    [InlineData("ahostsv4", "web.default.svc.cluster.local", "10.99.1.1")]
    [InlineData("ahostsv4", "other.ns2", "10.99.1.8")]
    [InlineData("ahostsv4", "www.example.com", "10.99.1.6")]
    [InlineData("ahostsv4", "x.wild.example", "10.99.1.7")]
    [InlineData("ahostsv4", "headless", "10.88.1.1 10.88.1.2")]
    [InlineData("ahostsv4", "h2.headless", "10.88.1.2")]
    [InlineData("ahostsv4", "multi", "10.99.1.3 10.99.1.4 10.99.1.5")]
    [InlineData("ahosts", "web", "10.99.1.1 fd99::1:1")]
    [InlineData("ahostsv4", "a.up.test", "192.0.2.1")]
    [InlineData("ahostsv6", "a.up.test", "2001:db8::1")]
    [InlineData("ahostsv4", "lie.up.test.", "192.0.2.1")]
    [InlineData("ahostsv4", "slow.up.test.", "192.0.2.1")]
    public async Task CLibrary_ResolvesWithSearchDomains(string database, string name, string expected)
    {
        string output = await RunAsync("getent", database, name);

        Assert.Equal(expected, string.Join(' ', output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => line.Split(' ')[0]).Distinct().Order(StringComparer.Ordinal)));
    }

    /// <summary>musl asks for both families at once from one socket, knows no EDNS, and takes the first answer that does not say NXDOMAIN from its search list.</summary>
    [NamespaceTheory]
    [InlineData("any", "web", "10.99.1.1 fd99::1:1")]
    [InlineData("4", "web.default", "10.99.1.1")]
    [InlineData("6", "web.default.svc.cluster.local", "fd99::1:1")]
    [InlineData("any", "other.ns2", "10.99.1.8")]
    [InlineData("any", "www.example.com", "10.99.1.6")]
    [InlineData("any", "x.wild.example", "10.99.1.7")]
    [InlineData("any", "headless", "10.88.1.1 10.88.1.2 fd88:1::1")]
    [InlineData("any", "h2.headless", "10.88.1.2")]
    [InlineData("any", "a.up.test.", "192.0.2.1 2001:db8::1")]
    [InlineData("4", "lie.up.test.", "192.0.2.1")]
    [InlineData("any", "nothing.up.test.", "Name does not resolve")]
    public async Task Musl_ResolvesWithSearchDomains(string family, string name, string expected)
    {
        string program = await Task.Run(() => pod.MuslProgram);

        string output = await RunAsync(program, family, name);

        Assert.Equal(expected, string.Join(' ', output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Distinct().Order(StringComparer.Ordinal)));
    }

    [NamespaceTheory]
    [InlineData("+tcp web.default.svc.cluster.local", "10.99.1.1")]
    [InlineData("+search web", "10.99.1.1")]
    [InlineData("web.default.svc.cluster.local AAAA", "fd99::1:1")]
    [InlineData("+tcp a.up.test", "192.0.2.1")]
    [InlineData("t.up.test TXT", "\"hello text\"")]
    [InlineData("_http._tcp.up.test SRV", "5 10 8080 a.up.test.")]
    [InlineData("-x 192.0.2.1", "a.up.test.")]
    public async Task Dig_OfTheResolver_IsCaptured(string arguments, string expected) =>
        Assert.Equal(expected, (await RunAsync("dig", ["@10.88.0.254", "+short", .. arguments.Split(' ')])).Trim());

    /// <summary>512 bytes and TC without EDNS: dig asks again over TCP; 4096 with EDNS hold everything.</summary>
    [NamespaceTheory]
    [InlineData("+noedns")]
    [InlineData("+bufsize=1232")]
    [InlineData("+bufsize=4096", "+ignore")]
    [InlineData("+tcp")]
    public async Task LargeAnswer_ArrivesWhole(params string[] how)
    {
        string output = await RunAsync("dig", ["@10.88.0.254", "+short", "large.default.svc.cluster.local", .. how]);

        Assert.Equal(200, output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Distinct().Count());
    }

    [NamespaceFact]
    public async Task MixedCase_IsKept() => Assert.Contains("WeB.DEFAULT.svc.cluster.local.", await RunAsync("dig", "@10.88.0.254", "+noall", "+answer", "WeB.DEFAULT.svc.cluster.local"), StringComparison.Ordinal);

    /// <summary>A resolver that says nothing costs its own queries the time of resolv.conf; one whose port is closed costs nothing. Mesh names do not notice.</summary>
    [NamespaceFact]
    public async Task ResolverSilentOrDown_IsServFail_AndMeshNamesAnswer()
    {
        Assert.Contains("SERVFAIL", await RunAsync("dig", "@10.88.0.254", "+tries=1", "+timeout=5", "silent.up.test"), StringComparison.Ordinal);

        pod.StopResolver();
        Assert.Contains("SERVFAIL", await RunAsync("dig", "@10.88.0.254", "+tries=1", "+timeout=1", "a.up.test"), StringComparison.Ordinal);
        Assert.Equal("10.99.1.1", (await RunAsync("dig", "@10.88.0.254", "+short", "+search", "web")).Trim());
        await pod.StartResolverAsync();
        Assert.Equal("192.0.2.1", (await RunAsync("dig", "@10.88.0.254", "+short", "a.up.test")).Trim());
    }

    [NamespaceFact]
    public async Task Query_IsLoggedAndCounted()
    {
        await RunAsync("dig", "@10.88.0.254", "multi.default.svc.cluster.local");

        await pod.Ztunnel.WaitForLineAsync(static line => line.Contains(
            "debug\tdns\tsrc.workload=\"a\" src.namespace=\"default\" query=\"A\" domain=\"multi.default.svc.cluster.local.\" result=\"success\" endpoints=3", StringComparison.Ordinal));
        string metrics = await RunAsync("curl", "-sS", "--max-time", "5", "http://127.0.0.1:15020/metrics");
        Assert.Contains("istio_dns_requests_total{request_query_type=\"a\",request_protocol=\"udp\",source_canonical_service=\"client\",source_canonical_revision=\"v1\"}", metrics, StringComparison.Ordinal);
    }

    private async Task<string> RunAsync(string program, params string[] arguments) => await Task.Run(() => pod.Pod.TryRun(program, arguments).Output);

    private static string Describe(byte[] answer)
    {
        if (answer.Length <= 12 || (answer[5] == 1 && (answer[2] & 0x04) != 0))
            return answer.Length <= 12 ? Convert.ToHexString(answer) : Convert.ToHexString(new ParsedAnswer(answer).Sorted());
        var parsed = new ParsedAnswer(answer);
        return $"{parsed.Code} {string.Join(", ", parsed.Records.Select(static record => $"{record.Owner.ToLowerInvariant()} {record.Ttl} {record.Type}"))} = {string.Join(", ", parsed.Addresses)}";
    }
}
