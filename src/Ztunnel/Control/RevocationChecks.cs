using Microsoft.Extensions.Logging;
using Ztunnel.ControlPlane.Revocation;
using Ztunnel.Settings;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Tls.Revocation;

namespace Ztunnel.Control;

/// <summary>The revocation lists of CRL_PATH and what the metrics say of them (control-path 7.9, 10.2).</summary>
internal sealed class RevocationChecks : IAsyncDisposable
{
    private readonly Revocations _revocations = new();
    private readonly RevocationFileSource? _file;

    private RevocationChecks(ZtunnelSettings settings, TimeProvider time, ILoggerFactory loggers)
    {
        if (settings.ControlPlane.CrlPath is { } path)
            _file = new RevocationFileSource(new RevocationFileSettings { Path = path }, _revocations, time, loggers.CreateLogger("proxy::crl"));
    }

    /// <summary>The lists in force; null when nobody checks.</summary>
    public Revocations? Revocations => _file is null ? null : _revocations;

    /// <summary>Loads the file and begins to watch it. It may be missing or unusable: that is said, and changes nothing else.</summary>
    public static RevocationChecks Start(ZtunnelSettings settings, MetricRegistry metrics, TimeProvider time, ILoggerFactory loggers)
    {
        var checks = new RevocationChecks(settings, time, loggers);
        checks.AddTo(metrics);
        checks._file?.Start();
        return checks;
    }

    public ValueTask DisposeAsync() => _file?.DisposeAsync() ?? ValueTask.CompletedTask;

    private void AddTo(MetricRegistry metrics)
    {
        Add(metrics, MetricKind.Gauge, "ztunnel_crl_current", "Whether the revocation lists in force are what CRL_PATH says now (unstable)", static (file, _) => file.IsCurrent ? 1 : 0);
        Add(metrics, MetricKind.Gauge, "ztunnel_crl_lists", "Revocation lists in force (unstable)", static (_, lists) => lists.ListCount);
        Add(metrics, MetricKind.Gauge, "ztunnel_crl_revoked_certificates", "Certificates that the revocation lists in force name (unstable)", static (_, lists) => lists.RevokedCount);
        Add(metrics, MetricKind.Gauge, "ztunnel_crl_next_update_seconds", "When the first of the lists in force should be replaced, as Unix time (unstable)", static (_, lists) => lists.NextUpdate?.ToUnixTimeSeconds());
        Add(metrics, MetricKind.Counter, "ztunnel_crl_loads", "How often CRL_PATH was read and taken (unstable)", static (file, _) => file.Loads);
        Add(metrics, MetricKind.Counter, "ztunnel_crl_load_failures", "How often CRL_PATH was missing or not usable (unstable)", static (file, _) => file.Failures);
    }

    private void Add(MetricRegistry metrics, MetricKind kind, string name, string help, Func<RevocationFileSource, RevocationSet, long?> read) =>
        metrics.AddCallback(MetricGroup.Ztunnel, kind, name, help, [], sink =>
        {
            if (_file is { } file && read(file, _revocations.Current) is { } value)
                sink.Report(value);
        });
}
