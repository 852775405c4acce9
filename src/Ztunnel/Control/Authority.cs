using Microsoft.Extensions.Logging;
using Ztunnel.ControlPlane.Ca;
using Ztunnel.ControlPlane.Grpc;
using Ztunnel.Mesh.Identity;
using Ztunnel.Settings;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Handshake;

namespace Ztunnel.Control;

/// <summary>Who signs the certificates of this process: istiod or the embedded authority. Counts what is asked and how it ends (control-path 10.2).</summary>
internal sealed class Authority : ICertificateAuthority, IDisposable
{
    private readonly ICertificateAuthority _signer;
    private readonly CounterFamily _requests;
    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationToken _stop;   // outlives its source
    private bool _disposed;

    private Authority(ICertificateAuthority signer, MetricRegistry metrics)
    {
        _signer = signer;
        _stop = _stopping.Token;
        _requests = metrics.AddCounter(MetricGroup.Ztunnel, "ztunnel_ca_requests", "Requests to the certificate authority by gRPC code, or invalid_answer (unstable)", ["code"]);
    }

    /// <exception cref="StartException">The embedded authority's root cannot be used.</exception>
    public static Authority Open(ZtunnelSettings settings, TlsSettings tls, MetricRegistry metrics, TimeProvider time, ILoggerFactory loggers)
    {
        ControlPlaneSettings plane = settings.ControlPlane;
        if (plane.CaAddress is { } address)
            return new Authority(new CitadelClient(ControlPlaneAccess.Citadel(settings, address, tls), time, loggers.CreateLogger("identity::caclient")), metrics);
        var embedded = new EmbeddedAuthoritySettings { RootFile = plane.FakeCaRootPath, CertificateLifetime = plane.SecretTtl, Tls = tls };
        try
        {
            return new Authority(new EmbeddedAuthority(embedded, time, loggers.CreateLogger("identity::manager")), metrics);
        }
        catch (AuthorityException unusable)
        {
            throw new StartException($"ZTUNNEL_FAKE_CA_ROOT: {unusable.Message}", unusable);
        }
    }

    public async Task<WorkloadCertificate> SignAsync(SpiffeId identity, CancellationToken cancellation)
    {
        string code = "OK";
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, _stop);
        try
        {
            return await _signer.SignAsync(identity, either.Token).ConfigureAwait(false);
        }
        catch (Exception failure)
        {
            code = Code(failure);
            throw;
        }
        finally
        {
            _requests.With(code).AddShared();
        }
    }

    /// <summary>Gives up what is in flight: a certificate that comes now would be nobody's.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _stopping.Cancel();
        _stopping.Dispose();
        (_signer as IDisposable)?.Dispose();
    }

    private static string Code(Exception failure) => failure switch
    {
        { InnerException: GrpcException grpc } => grpc.Status.Code.ToString(),
        OperationCanceledException => nameof(GrpcStatusCode.Cancelled),
        CertificateChainException => "invalid_answer",
        _ => nameof(GrpcStatusCode.Internal),
    };
}
