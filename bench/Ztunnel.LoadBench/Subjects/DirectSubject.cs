using Ztunnel.LoadBench.Topology;

namespace Ztunnel.LoadBench.Subjects;

/// <summary>No proxy: what the load generator, the kernel and the veth can do.</summary>
internal sealed class DirectSubject() : Subject("direct")
{
    public override bool IsCaptured => false;

    public override bool IsEncrypted => false;

    public override bool IsMain => false;

    public override Task<ProxyPair> StartAsync(SubjectContext context) => Task.FromResult(new ProxyPair(null, null));

    public override Task<string> DescribeAsync(UserLand land, BinaryPaths binaries) => Task.FromResult("");
}
