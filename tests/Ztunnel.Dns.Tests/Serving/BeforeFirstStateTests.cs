using System.Net;
using Ztunnel.Dns.Forwarding;
using Ztunnel.Dns.Tests.Forwarding;
using Ztunnel.Dns.Tests.Reference;
using Ztunnel.Mesh.State;

namespace Ztunnel.Dns.Tests.Serving;

/// <summary>Dedicated mode serves before the mesh is there: the control plane is found by name, which is how the mesh gets there; no other name is answered as if the mesh did not have it.</summary>
public sealed class BeforeFirstStateTests
{
    // a.up.test, which the mesh does not know, and web.default.svc.cluster.local, which it does.
    private static readonly byte[] Elsewhere = RecordedQuery.All.First(static query => query.Title == "upstream A").Sent;
    private static readonly byte[] InMesh = RecordedQuery.All[0].Sent;

    [Theory]
    [InlineData("a.up.test", false)]
    [InlineData("A.up", false)]   // completed from the search list
    [InlineData("a.up.test", true)]   // there is a state and the pod is not in it: a stream that ends now must be followed by another
    public async Task ControlPlane_IsForwarded(string host, bool isSynced)
    {
        using var resolver = new TestResolver(static (query, _) => [TestResolver.Answer(query, 7)]);
        MeshStore mesh = new();
        if (isSynced)
            mesh.MarkSynced();
        await using var dns = new DnsBench(To(resolver), mesh, controlPlaneHosts: [host]);

        Assert.Equal([IPAddress.Parse("192.0.2.7")], new ParsedAnswer(await dns.AskAsync(Elsewhere)).Addresses);
    }

    [Fact]
    public async Task OtherNames_WaitForTheFirstState()
    {
        using var resolver = new TestResolver(static (query, _) => [TestResolver.Answer(query, 7)]);
        MeshStore mesh = DnsBench.RecordedMesh(isSynced: false);
        await using var dns = new DnsBench(To(resolver), mesh, controlPlaneHosts: ["a.up.test"]);
        Task<byte[]> waiting = dns.AskAsync(InMesh);
        await dns.AskAsync(Elsewhere);
        Assert.False(waiting.IsCompleted);

        mesh.MarkSynced();

        Assert.Equal(new ParsedAnswer(RecordedQuery.All[0].Got!).Addresses, new ParsedAnswer(await waiting).Addresses);
        Assert.Single(resolver.Seen);
    }

    private static ResolverConfiguration To(TestResolver resolver) => new() { Servers = [resolver.Address] };
}
