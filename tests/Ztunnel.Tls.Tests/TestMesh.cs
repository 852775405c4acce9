using System.Security.Cryptography.X509Certificates;
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
    internal static readonly IssuedCertificate AliceIssued = Authority.Issue(Alice.ToString());
    internal static readonly IssuedCertificate BobIssued = Authority.Issue(Bob.ToString());
    internal static readonly WorkloadCertificate AliceCertificate = AliceIssued.ToWorkload(Alice);
    internal static readonly WorkloadCertificate BobCertificate = BobIssued.ToWorkload(Bob);

    /// <summary>A certificate of another kind that trusts the mesh's root.</summary>
    internal static WorkloadCertificate Trusting(this IssuedCertificate issued, SpiffeId identity, params X509Certificate2[] roots) =>
        issued.ToWorkload(identity, null, roots.Length > 0 ? roots : [Authority.Root]);
}
