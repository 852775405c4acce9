using Ztunnel.Mesh.Identity;
using Ztunnel.Testing;
using Ztunnel.Tls.Certificates;

namespace Ztunnel.Tls.Tests;

/// <summary>One authority and two workloads, made once: key generation is what tests of TLS would spend their time on.</summary>
internal static class TestMesh
{
    internal static readonly SpiffeId Alice = SpiffeId.Parse("spiffe://cluster.local/ns/default/sa/alice");
    internal static readonly SpiffeId Bob = SpiffeId.Parse("spiffe://cluster.local/ns/default/sa/bob");

    internal static readonly TestAuthority Authority = TestAuthority.Create();
    /// <summary>Valid at whatever time a manual clock shows.</summary>
    internal static readonly TestAuthority LongLived = TestAuthority.Create("O=long lived", new DateTimeOffset(2020, 1, 1, 0, 0, 0, TimeSpan.Zero), new DateTimeOffset(2049, 1, 1, 0, 0, 0, TimeSpan.Zero));
    internal static readonly IssuedCertificate AliceIssued = Authority.Issue(Alice.ToString());
    internal static readonly IssuedCertificate BobIssued = Authority.Issue(Bob.ToString());
    internal static readonly WorkloadCertificate AliceCertificate = AliceIssued.ToWorkload(Alice);
    internal static readonly WorkloadCertificate BobCertificate = BobIssued.ToWorkload(Bob);
}
