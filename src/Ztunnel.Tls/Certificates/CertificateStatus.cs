using Ztunnel.Mesh.Identity;

namespace Ztunnel.Tls.Certificates;

/// <summary>State of an identity's certificate, by the words of control-path 7.5.</summary>
public enum CertificateState
{
    Initializing,
    Available,
    Unavailable,
}

/// <summary>One line of the dump: what the store holds for an identity.</summary>
/// <param name="Identity">Whose.</param>
/// <param name="State">Where it stands.</param>
/// <param name="Certificate">The certificate while there is one that is valid.</param>
/// <param name="Error">Why there is none, when the last request failed.</param>
/// <param name="NextRequest">When the authority is asked again; null while it is being asked or nobody needs it.</param>
public sealed record CertificateStatus(SpiffeId Identity, CertificateState State, WorkloadCertificate? Certificate, string? Error, DateTimeOffset? NextRequest);

/// <summary>What the store tells those who log and count. Called outside its lock, from pool threads.</summary>
public interface ICertificateEvents
{
    public void Issued(WorkloadCertificate certificate, TimeSpan took, DateTimeOffset renewal);

    /// <param name="identity">Whose request failed.</param>
    /// <param name="error">Why.</param>
    /// <param name="retry">When the next one is made.</param>
    /// <param name="stillValid">Whether connections go on with the certificate that is there.</param>
    public void Failed(SpiffeId identity, string error, DateTimeOffset retry, bool stillValid);
}

/// <summary>There is no certificate for an identity; the message says why.</summary>
public sealed class CertificateUnavailableException(string message) : Exception(message);
