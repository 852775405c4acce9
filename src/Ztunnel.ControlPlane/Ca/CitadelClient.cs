using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.Logging;
using Ztunnel.ControlPlane.Grpc;
using Ztunnel.Mesh.Identity;
using Ztunnel.Protos.Citadel;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Handshake;

namespace Ztunnel.ControlPlane.Ca;

/// <summary>What the certificate client needs to know.</summary>
public sealed record CitadelClientSettings
{
    public required GrpcChannelSettings Channel { get; init; }

    /// <summary>SECRET_TTL: the lifetime asked for.</summary>
    public TimeSpan CertificateLifetime { get; init; } = TimeSpan.FromHours(24);

    /// <summary>Shared mode: this node asks in the name of its pods, and checks that it gets what it asked for. Dedicated mode: the token says who we are.</summary>
    public bool Impersonate { get; init; } = true;

    /// <summary>The limit of one call, its connection included (control-path 12, W-6).</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>What all TLS contexts of the process share.</summary>
    public required TlsSettings Tls { get; init; }
}

/// <summary>Has workload certificates signed by istiod (control-path 7.2–7.4). Roots and token are read anew for each call, the connection is kept.</summary>
public sealed class CitadelClient : ICertificateAuthority, IDisposable
{
    private const string ImpersonatedIdentity = "ImpersonatedIdentity";

    private static readonly GrpcMethod<IstioCertificateRequest, IstioCertificateResponse> CreateCertificate =
        new("istio.v1.auth.IstioCertificateService", "CreateCertificate", IstioCertificateResponse.Parser);

    private readonly CitadelClientSettings _settings;
    private readonly GrpcChannel _channel;

    public CitadelClient(CitadelClientSettings settings, TimeProvider time, ILogger logger)
    {
        _settings = settings;
        _channel = new GrpcChannel(settings.Channel, time, logger);
    }

    /// <exception cref="AuthorityException">The call failed; the message has the gRPC status.</exception>
    /// <exception cref="CertificateChainException">The answer cannot be used.</exception>
    // On the pool: callers may be event loops, and key generation takes a while.
    public Task<WorkloadCertificate> SignAsync(SpiffeId identity, CancellationToken cancellation) => Task.Run(() => CallAsync(identity, cancellation), cancellation);

    private async Task<WorkloadCertificate> CallAsync(SpiffeId identity, CancellationToken cancellation)
    {
        using SigningRequest signing = SigningRequest.Create(identity);
        IstioCertificateRequest request = new() { Csr = signing.Pem, ValidityDuration = (long)_settings.CertificateLifetime.TotalSeconds };
        if (_settings.Impersonate) request.Metadata = new Struct { Fields = { [ImpersonatedIdentity] = Value.ForString(identity.Text) } };

        IstioCertificateResponse response;
        try
        {
            response = await _channel.CallAsync(CreateCertificate, request, new GrpcCallOptions { Timeout = _settings.Timeout }, cancellation);
        }
        catch (GrpcException error)
        {
            throw new AuthorityException($"signing gRPC error ({error.Status.Code}): {error.Status.Detail}", error);
        }
        return signing.Complete(response.CertChain, _settings.Impersonate ? LeafIdentityCheck.Required : LeafIdentityCheck.Skipped, _settings.Tls);
    }

    public void Dispose() => _channel.Dispose();
}
