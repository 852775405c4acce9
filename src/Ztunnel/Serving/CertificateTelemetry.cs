using Microsoft.Extensions.Logging;
using Ztunnel.Mesh.Identity;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Tls.Certificates;

namespace Ztunnel.Serving;

/// <summary>Logs and counts what the certificate store does.</summary>
public sealed class CertificateTelemetry : ICertificateEvents
{
    private readonly ILogger _log;
    private readonly Counter _issued;
    private readonly Counter _failed;

    public CertificateTelemetry(MetricRegistry metrics, ILoggerFactory loggers)
    {
        _log = loggers.CreateLogger("identity::manager");
        CounterFamily requests = metrics.AddCounter(MetricGroup.Ztunnel, "ztunnel_certificate_requests", "Certificate requests by result (unstable)", ["result"]);
        _issued = requests.With("issued");
        _failed = requests.With("failed");
    }

    /// <summary>How long each certificate is still good for.</summary>
    public static void AddExpiry(MetricRegistry metrics, CertificateStore certificates, TimeProvider time) =>
        metrics.AddCallback(MetricGroup.Ztunnel, MetricKind.Gauge, "ztunnel_certificate_remaining_seconds", "Time until the certificate of an identity expires (unstable)", ["identity"], sink =>
        {
            foreach (CertificateStatus status in certificates.Snapshot())
            {
                if (status.Certificate is { } certificate)
                    sink.Report(certificate.NotAfter - time.GetUtcNow(), status.Identity.ToString());
            }
        }, unit: "seconds");

    public void Issued(WorkloadCertificate certificate, TimeSpan took, DateTimeOffset renewal)
    {
        _issued.AddShared();
        DaemonLog.CertificateIssued(_log, certificate.Identity, took);
    }

    public void Failed(SpiffeId identity, string error, DateTimeOffset retry, bool stillValid)
    {
        _failed.AddShared();
        DaemonLog.CertificateFailed(_log, error, identity, retry, stillValid);
    }
}
