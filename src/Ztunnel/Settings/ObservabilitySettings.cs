using System.Collections.Immutable;
using Ztunnel.Telemetry.Logging;

namespace Ztunnel.Settings;

/// <summary>Logs, metrics and the ports they are seen on.</summary>
public sealed record ObservabilitySettings
{
    /// <summary>The readiness port; there is no setting for it.</summary>
    public const int ReadinessPort = 15021;

    /// <summary>RUST_LOG, default <c>info</c>.</summary>
    public LogFilter LogFilter { get; init; } = LogFilter.Default;

    /// <summary>LOG_FORMAT: <c>json</c>; anything else is plain.</summary>
    public LogFormat LogFormat { get; init; }

    /// <summary>Key proxyAdminPort, default 15000; loopback only.</summary>
    public int AdminPort { get; init; } = 15000;

    /// <summary>Key statsPort, default 15020.</summary>
    public int StatsPort { get; init; } = 15020;

    /// <summary>Metadata ISTIO_VERSION (ISTIO_META_ISTIO_VERSION), default <c>unknown</c>.</summary>
    public string IstioVersion { get; init; } = "unknown";

    /// <summary>ZTUNNEL_METRICS_QUIET_PERIOD (ours), default 1 h: traffic series that did not change for so long and have no open connection disappear.</summary>
    public TimeSpan MetricsQuietPeriod { get; init; } = TimeSpan.FromHours(1);

    /// <summary>ZTUNNEL_METRICS_DROPPED_LABELS (ours): a comma list of traffic labels that are not exported.</summary>
    public ImmutableHashSet<string> DroppedTrafficLabels { get; init; } = [];

    public static ObservabilitySettings Read(SettingReader reader, ProxyConfig config)
    {
        string filter = reader.Text("RUST_LOG", "");
        if (!LogFilter.TryParse(filter, out LogFilter logFilter, out string reason))
            reader.Invalid("RUST_LOG", filter, reason);
        TimeSpan quiet = reader.Duration("ZTUNNEL_METRICS_QUIET_PERIOD", TimeSpan.FromHours(1));
        if (quiet < TimeSpan.FromSeconds(1))
            reader.Invalid("ZTUNNEL_METRICS_QUIET_PERIOD", reader.Text("ZTUNNEL_METRICS_QUIET_PERIOD", ""), "expected at least 1s");
        string dropped = reader.Text("ZTUNNEL_METRICS_DROPPED_LABELS", "");
        ImmutableHashSet<string> labels = [.. dropped.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)];
        if (labels.FirstOrDefault(static label => !Telemetry.Metrics.TrafficLabelNames.CanBeDropped(label)) is { } wrong)
            reader.Invalid("ZTUNNEL_METRICS_DROPPED_LABELS", dropped, $"'{wrong}' is no traffic label that can be left out");

        return new ObservabilitySettings
        {
            LogFilter = logFilter,
            LogFormat = reader.OptionalText("LOG_FORMAT") == "json" ? LogFormat.Json : LogFormat.Plain,
            AdminPort = config.AdminPort ?? 15000,
            StatsPort = config.StatsPort ?? 15020,
            IstioVersion = reader.Text("ISTIO_META_ISTIO_VERSION", "unknown"),
            MetricsQuietPeriod = quiet,
            DroppedTrafficLabels = labels,
        };
    }
}
