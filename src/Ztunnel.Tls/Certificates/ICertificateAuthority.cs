using Ztunnel.Mesh.Identity;

namespace Ztunnel.Tls.Certificates;

/// <summary>Who signs workload certificates: istiod over gRPC, or the one embedded for local use.</summary>
public interface ICertificateAuthority
{
    /// <summary>Makes a key, has it certified and returns the result ready for use. Failures are exceptions whose message goes to waiters and into the log.</summary>
    public Task<WorkloadCertificate> SignAsync(SpiffeId identity, CancellationToken cancellation);
}
