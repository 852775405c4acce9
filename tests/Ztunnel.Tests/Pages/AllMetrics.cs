using Microsoft.Extensions.Logging.Abstractions;
using Ztunnel.Control;
using Ztunnel.ControlPlane.Xds;
using Ztunnel.Lifetime;
using Ztunnel.Linux.Loop;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy.Accepting;
using Ztunnel.Proxy.Telemetry;
using Ztunnel.Serving;
using Ztunnel.Telemetry.Logging;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Tests.Settings;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Handshake;

namespace Ztunnel.Tests.Pages;

/// <summary>Every family that some part of the product registers, in one registry. A part that is missing here is found by <see cref="MetricsPageTests"/>.</summary>
internal static class AllMetrics
{
    public static async Task<MetricRegistry> RegisterAsync()
    {
        TimeProvider time = TimeProvider.System;
        var metrics = new MetricRegistry(new MetricSettings { Loops = 1 }, time);
        using LoopGroup loops = LoopGroup.Start(1);
        await using var sink = new LogSink(Stream.Null, new LogSinkSettings(), time);
        metrics.AddBuild("unknown");
        ProcessTelemetry.AddTo(metrics, loops, sink, time);
        using (var governor = new MemoryGovernor(static () => null, 90, new AdmissionGate(), time, NullLogger.Instance))
            governor.AddTo(metrics);
        MeshTelemetry.AddTo(metrics, new MeshStore());
        _ = new TrafficMetrics(metrics);
        _ = new TunnelMetrics(metrics);
        _ = new OutcomeMetrics(metrics);
        _ = new DnsMetrics(metrics);
        _ = new WorkloadManagerMetrics(metrics);
        _ = new XdsMetrics(metrics);
        new XdsStatus(time).Register(metrics);
        _ = new CertificateTelemetry(metrics, NullLoggerFactory.Instance);
        Authority.Open(TestSource.Read(), TlsSettings.Default, metrics, time, NullLoggerFactory.Instance).Dispose();
        await RevocationChecks.Start(TestSource.Read(), metrics, time, NullLoggerFactory.Instance).DisposeAsync();
        await using var certificates = new CertificateStore(new NoAuthority(), new CertificateStoreSettings(), time);
        CertificateTelemetry.AddState(metrics, certificates, time);
        PodTelemetry.AddTo(metrics, static () => []);
        PodTelemetry.AddAgent(metrics, static () => false);
        return metrics;
    }

    private sealed class NoAuthority : ICertificateAuthority
    {
        public Task<WorkloadCertificate> SignAsync(SpiffeId identity, CancellationToken cancellation) => throw new InvalidOperationException("nobody asks for certificates here");
    }
}
