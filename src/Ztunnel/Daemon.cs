using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Ztunnel.ControlPlane.Ca;
using Ztunnel.ControlPlane.LocalFile;
using Ztunnel.Http;
using Ztunnel.Http.Dashboard;
using Ztunnel.Http.Dump;
using Ztunnel.Http.Explain;
using Ztunnel.InPod.Pods;
using Ztunnel.Lifetime;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy;
using Ztunnel.Proxy.Telemetry;
using Ztunnel.Serving;
using Ztunnel.Settings;
using Ztunnel.Telemetry.Failures;
using Ztunnel.Telemetry.Logging;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Tls.Certificates;

namespace Ztunnel;

/// <summary>
/// The running process, composed top to bottom in the order in which it starts (control-path 1.2); nothing else news up a subsystem. It stops in the opposite order.
/// </summary>
public static class Daemon
{
    private const string StateTask = "state manager";
    private const string ProxyTask = "proxy";

    // Whatever takes longer than the deadline that every part keeps for itself is stuck (W-25).
    private static readonly TimeSpan ShutdownMargin = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LogFlushLimit = TimeSpan.FromSeconds(1);

    /// <summary>Runs until it is asked to stop; the result is the exit code.</summary>
    /// <exception cref="SettingsException">The settings ask for what this build does not have.</exception>
    /// <exception cref="StartException">It cannot start.</exception>
    public static async Task<int> RunAsync(ZtunnelSettings settings, Stream output, TimeProvider time)
    {
        if (Composition.FindMissingParts(settings).ToImmutableArray() is [_, ..] missing)
            throw new SettingsException(missing);
        var sink = new LogSink(output, new LogSinkSettings { Format = settings.Observability.LogFormat }, time);
        try
        {
            await RunAsync(settings, sink, time).ConfigureAwait(false);
            return 0;
        }
        finally
        {
            await sink.StopAsync(LogFlushLimit).ConfigureAwait(false);
        }
    }

    private static async Task RunAsync(ZtunnelSettings settings, LogSink sink, TimeProvider time)
    {
        // 1. Logs, then who we are and what we were told.
        var levels = new LogLevels(settings.Observability.LogFilter);
        using var loggers = new LogProvider(sink, levels);
        ILogger log = loggers.CreateLogger("ztunnel");
        BuildInfo build = BuildInfo.Create(settings.Observability.IstioVersion);
        DaemonLog.Version(log, build);
        ProcessTelemetry.RaiseDescriptorLimit(log);
        DaemonLog.Configuration(log, Describe(settings));
        if (settings.ControlPlane.Tls12Requested)
            DaemonLog.Tls12Ignored(log);
        if (settings.Mode.DnsEnabled)
            DaemonLog.DnsCaptureMissing(log);
        using var shutdown = new Shutdown(loggers);

        // 2. What can be wrong on disk is looked at before anything is opened.
        var mesh = new MeshStore(settings.Node.NodeName);
        await using LocalFileSource file = LoadFile(settings, mesh, time, loggers);
        using KeyLogFile? keyLog = KeyLogFile.Open(settings.ControlPlane.KeyLogPath);
        if (settings.ControlPlane.KeyLogPath is { } exposed)
            DaemonLog.KeyLogInUse(log, exposed);
        using EmbeddedAuthority authority = OpenAuthority(settings, keyLog, time, loggers);
        CheckPodList(settings);

        // 3. Loops, before any thread enters a pod's namespace: one started from there would stay there.
        using LoopGroup loops = LoopGroup.Start(settings.Tuning.WorkerThreads, failure => DaemonLog.LoopHandlerFailed(log, failure));
        var metrics = new MetricRegistry(Composition.Metrics(settings), time);
        metrics.AddBuild(settings.Observability.IstioVersion);
        ProcessTelemetry.AddTo(metrics, loops, sink, time);
        MeshTelemetry.AddTo(metrics, mesh);
        var traffic = new TrafficMetrics(metrics);
        using var housekeeping = new MetricHousekeeping(metrics, traffic, loops, time);

        // 4. Certificates and the data path of whatever is served.
        await using var certificates = new CertificateStore(authority, new CertificateStoreSettings(), time, new CertificateTelemetry(metrics, loggers));
        CertificateTelemetry.AddState(metrics, certificates, time);
        using var localCertificates = new LocalCertificates(mesh, certificates);
        var failures = new FailureJournal();
        var proxies = new ProxyFactory(new ProxyContext
        {
            Loops = loops,
            Mesh = mesh,
            Certificates = (identity, cancellation) => certificates.GetAsync(identity, CertificatePriority.RealTime, cancellation),
            Traffic = traffic,
            Tunnels = new TunnelMetrics(metrics),
            Outcomes = new OutcomeMetrics(metrics),
            Access = new AccessLog(sink, levels, failures, time),
            Settings = Composition.Proxy(settings),
            Routing = Composition.Routing(settings),
            Logs = loggers,
            Time = time,
        });
        var readiness = new Readiness(time, loggers);
        readiness.Await(StateTask);
        readiness.Await(ProxyTask);
        IServing serving = CreateServing(settings, proxies, metrics, readiness, time, loggers);

        // 5. The HTTP ports, so that a start that takes long can be watched.
        var dump = new ConfigDump(
        [
            new ValueSection("config", json => ConfigSection.Write(json, settings)),
            .. MeshSections.Create(mesh, certificates, () => file.Current, build),
            .. serving.DumpSections,
        ]);
        PodTelemetry.AddTo(metrics, () => serving.Pods);
        IAdminPage[] pages =
        [
            new ExplainPage(new ExplainContext(mesh, Composition.Routing(settings), Composition.Proxy(settings).Policies, () => certificates.Snapshot(), failures, time)),
            new StatePage(new StateContext
            {
                Build = build,
                Readiness = readiness,
                Mesh = mesh,
                ControlPlane = static () => ("local file", IsConnected: true),
                Certificates = () => certificates.Snapshot(),
                Failures = failures,
                Loops = loops,
                Pods = () => serving.Pods,
                Time = time,
            }),
        ];
        await using HttpServer http = CreateHttp(settings, metrics, levels, dump, pages, readiness, shutdown, loggers);
        await http.StartAsync(CancellationToken.None).ConfigureAwait(false);

        // 6. With the first state of the mesh, traffic.
        await mesh.FirstSync.ConfigureAwait(false);
        readiness.Complete(StateTask);
        if (!string.IsNullOrEmpty(settings.Node.NodeName))
            localCertificates.Start();
        DaemonLog.PartEnabled(loggers.CreateLogger("app"), "proxy mode");
        await serving.StartAsync().ConfigureAwait(false);
        using var idle = new IdleMemory(loops, time);

        await shutdown.Requested.ConfigureAwait(false);
        if (await StopAsync(settings.Tuning.TerminationDeadline, serving, http, shutdown, log, time).ConfigureAwait(false))
            return;

        // Whoever insists is not kept waiting by what is stuck, disposals included.
        await sink.StopAsync(LogFlushLimit).ConfigureAwait(false);
        Environment.Exit(0);
    }

    /// <summary>Everything stops side by side, each within the deadline; a second signal or a stuck part ends the wait, and the answer is false.</summary>
    private static async Task<bool> StopAsync(TimeSpan deadline, IServing serving, HttpServer http, Shutdown shutdown, ILogger log, TimeProvider time)
    {
        using var limit = new CancellationTokenSource(deadline, time);
        Task stopped = Task.WhenAll(serving.StopAsync(graceful: true), http.StopAsync(limit.Token));
        Task overdue = Task.Delay(deadline + ShutdownMargin, time, CancellationToken.None);
        Task first = await Task.WhenAny(stopped, shutdown.Insisted, overdue).ConfigureAwait(false);
        if (first == overdue)
            DaemonLog.ShutdownOverdue(log, DurationText.Describe(deadline + ShutdownMargin));
        await first.ConfigureAwait(false);
        return first == stopped;
    }

    private static LocalFileSource LoadFile(ZtunnelSettings settings, MeshStore mesh, TimeProvider time, LogProvider loggers)
    {
        var file = new LocalFileSource(
            new LocalFileSettings { Path = settings.ControlPlane.LocalXdsPath, Text = settings.ControlPlane.LocalXds }, mesh, time, loggers.CreateLogger("xds:local_client"));
        try
        {
            file.Start();
        }
        catch (LocalFileException mistakes)
        {
            throw new StartException(mistakes.Message, mistakes);
        }

        // There is no control plane to wait for.
        mesh.MarkSynced();
        return file;
    }

    private static EmbeddedAuthority OpenAuthority(ZtunnelSettings settings, KeyLogFile? keyLog, TimeProvider time, LogProvider loggers)
    {
        var authority = new EmbeddedAuthoritySettings
        {
            RootFile = settings.ControlPlane.FakeCaRootPath,
            CertificateLifetime = settings.ControlPlane.SecretTtl,
            Tls = Composition.Tls(settings, time, keyLog is null ? null : keyLog.Write),
        };
        try
        {
            return new EmbeddedAuthority(authority, time, loggers.CreateLogger("identity::manager"));
        }
        catch (AuthorityException unusable)
        {
            throw new StartException($"ZTUNNEL_FAKE_CA_ROOT: {unusable.Message}", unusable);
        }
    }

    private static void CheckPodList(ZtunnelSettings settings)
    {
        if (settings.Mode.LocalPodsPath is not { } path)
            return;
        try
        {
            LocalPodListSource.Check(path);
        }
        catch (PodListException mistake)
        {
            throw new StartException(mistake.Message, mistake);
        }
    }

    private static IServing CreateServing(ZtunnelSettings settings, ProxyFactory proxies, MetricRegistry metrics, Readiness readiness, TimeProvider time, LogProvider loggers)
    {
        SocketSettings sockets = Composition.Sockets(settings);
        if (settings.Mode.Mode == ProxyMode.Dedicated)
            return new DedicatedServing(settings.Mode.Workload!, proxies, sockets, readiness);
        ILogger log = loggers.CreateLogger("inpod::statemanager");
        var podProxies = new PodProxies(proxies, sockets);
        var pods = new PodSupervisor(podProxies, time, new WorkloadManagerMetrics(metrics), log);
        return new SharedServing(settings.Node, proxies, sockets, podProxies, pods, new LocalPodListSource(settings.Mode.LocalPodsPath!, pods, time, log), readiness);
    }

    private static HttpServer CreateHttp(
        ZtunnelSettings settings, MetricRegistry metrics, LogLevels levels, ConfigDump dump, IAdminPage[] pages, Readiness readiness, Shutdown shutdown, LogProvider loggers)
    {
        bool ipv6 = settings.Mode.IPv6Enabled;
        return new HttpServer(
            [
                new ReadinessPort(ListenAddresses.Wildcard(ObservabilitySettings.ReadinessPort, ipv6), readiness),
                new AdminPort(ListenAddresses.Loopback(settings.Observability.AdminPort, ipv6), levels, shutdown.Request, dump, pages, loggers),
                new StatsPort(ListenAddresses.Wildcard(settings.Observability.StatsPort, ipv6), metrics),
            ],
            loggers);
    }

    private static string Describe(ZtunnelSettings settings)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
            ConfigSection.Write(json, settings);
        return Encoding.UTF8.GetString(text.ToArray());
    }
}
