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
    private long _issueTicks;

    public CertificateTelemetry(MetricRegistry metrics, ILoggerFactory loggers)
    {
        _log = loggers.CreateLogger("identity::manager");
        CounterFamily requests = metrics.AddCounter(MetricGroup.Ztunnel, "ztunnel_certificate_requests", "Certificate requests by result (unstable)", ["result"]);
        _issued = requests.With("issued");
        _failed = requests.With("failed");
        metrics.AddCallback(
            MetricGroup.Ztunnel, MetricKind.Counter, "ztunnel_certificate_request_seconds", "Time that certificate requests which succeeded took together (unstable)", [],
            sink => sink.Report(TimeSpan.FromTicks(Interlocked.Read(ref _issueTicks))), unit: "seconds");
    }

    /// <summary>How many identities have a certificate, and how long each is still good for.</summary>
    public static void AddState(MetricRegistry metrics, CertificateStore certificates, TimeProvider time)
    {
        metrics.AddCallback(MetricGroup.Ztunnel, MetricKind.Gauge, "ztunnel_certificates", "Identities by the state of their certificate (unstable)", ["state"], sink =>
        {
            IReadOnlyList<CertificateStatus> all = [.. certificates.Snapshot()];
            foreach (CertificateState state in Enum.GetValues<CertificateState>())
                sink.Report(all.Count(status => status.State == state), state switch
                {
                    CertificateState.Available => "available",
                    CertificateState.Unavailable => "unavailable",
                    _ => "initializing",
                });
        });
        AddDrops(metrics, certificates);
        metrics.AddCallback(MetricGroup.Ztunnel, MetricKind.Gauge, "ztunnel_certificate_remaining_seconds", "Time until the certificate of an identity expires (unstable)", ["identity"], sink =>
        {
            foreach (CertificateStatus status in certificates.Snapshot())
            {
                if (status.Certificate is { } certificate)
                    sink.Report(certificate.NotAfter - time.GetUtcNow(), status.Identity.ToString());
            }
        }, unit: "seconds");
    }

    // Only the store can tell what it never took on.
    private static void AddDrops(MetricRegistry metrics, CertificateStore certificates) => metrics.AddCallback(
        MetricGroup.Ztunnel, MetricKind.Counter, "ztunnel_certificate_prefetch_drops", "Identities whose certificate was not fetched in advance because too many are in use (unstable)", [],
        sink => sink.Report(certificates.PrefetchDrops));

    public void Issued(WorkloadCertificate certificate, TimeSpan took, DateTimeOffset renewal)
    {
        _issued.AddShared();
        Interlocked.Add(ref _issueTicks, took.Ticks);
        DaemonLog.CertificateIssued(_log, certificate.Identity, took);
    }

    public void Failed(SpiffeId identity, string error, DateTimeOffset retry, bool stillValid)
    {
        _failed.AddShared();
        DaemonLog.CertificateFailed(_log, error, identity, retry, stillValid);
    }
}
