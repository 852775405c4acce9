using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Ztunnel.Control;
using Ztunnel.Dns.Forwarding;
using Ztunnel.Dns.Serving;
using Ztunnel.Http;
using Ztunnel.Http.Dashboard;
using Ztunnel.Http.Dump;
using Ztunnel.Http.Explain;
using Ztunnel.InPod.Pods;
using Ztunnel.InPod.Zds;
using Ztunnel.Lifetime;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy;
using Ztunnel.Proxy.Accepting;
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
    private const string DnsTask = "dns proxy";

    // Whatever takes longer than the deadline that every part keeps for itself is stuck (W-25).
    private static readonly TimeSpan ShutdownMargin = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LogFlushLimit = TimeSpan.FromSeconds(1);

    /// <summary>Runs until it is asked to stop; the result is the exit code.</summary>
    /// <exception cref="StartException">It cannot start.</exception>
    public static async Task<int> RunAsync(ZtunnelSettings settings, Stream output, TimeProvider time)
    {
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
        // 1. Logs, then who we are and what we were told. The collector's thread before all others of ours, while there is next to nothing to collect.
        CollectorThread.Start();
        var levels = new LogLevels(settings.Observability.LogFilter);
        using var loggers = new LogProvider(sink, levels);
        ILogger log = loggers.CreateLogger("ztunnel");
        BuildInfo build = BuildInfo.Create(settings.Observability.IstioVersion);
        DaemonLog.Version(log, build);
        ProcessTelemetry.RaiseDescriptorLimit(log);
        DaemonLog.Configuration(log, Describe(settings));
        Warn(settings, log);
        using var shutdown = new Shutdown(loggers);

        // 2. What can be wrong on disk is looked at before anything is opened.
        var metrics = new MetricRegistry(Composition.Metrics(settings), time);
        var mesh = new MeshStore(settings.Node.NodeName);
        await using MeshSources sources = MeshSources.Open(settings, mesh, metrics, time, loggers);
        using KeyLogFile? keyLog = KeyLogFile.Open(settings.ControlPlane.KeyLogPath);
        if (settings.ControlPlane.KeyLogPath is { } exposed)
            DaemonLog.KeyLogInUse(log, exposed);
        await using RevocationChecks revocation = RevocationChecks.Start(settings, metrics, time, loggers);
        using Authority authority = Authority.Open(settings, Composition.Tls(settings, revocation.Revocations, time, keyLog is null ? null : keyLog.Write), metrics, time, loggers);
        if (settings.Mode.Mode == ProxyMode.Shared)
            SharedPermissions.Require(settings.Mode.PacketMark);

        // 3. Loops, before any thread enters a pod's namespace: one started from there would stay there.
        using LoopGroup loops = LoopGroup.Start(settings.Tuning.WorkerThreads, failure => DaemonLog.LoopHandlerFailed(log, failure));
        metrics.AddBuild(settings.Observability.IstioVersion);
        ProcessTelemetry.AddTo(metrics, loops, sink, time);
        MeshTelemetry.AddTo(metrics, mesh);
        var traffic = new TrafficMetrics(metrics);
        using var housekeeping = new MetricHousekeeping(metrics, loops, time);

        // 4. Certificates and the data path of whatever is served.
        await using var certificates = new CertificateStore(authority, new CertificateStoreSettings(), time, new CertificateTelemetry(metrics, loggers));
        CertificateTelemetry.AddState(metrics, certificates, time);
        using var localCertificates = new LocalCertificates(mesh, certificates);
        var failures = new FailureJournal();
        var admission = new AdmissionGate();
        using MemoryGovernor? memory = MemoryGovernor.Start(settings.Tuning, admission, metrics, time, loggers);
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
            Admission = admission,
            FetchAddress = sources.AddressFetcher,
            Revocations = revocation.Revocations,
            Logs = loggers,
            Time = time,
        });
        var readiness = new Readiness(time, loggers);
        readiness.Await(StateTask);
        readiness.Await(ProxyTask);
        var resolver = new ResolverSource(new ResolverConfiguration());
        await using ResolverFile? resolverFile = settings.Mode.DnsEnabled ? DnsServing.Follow(resolver, time, loggers) : null;
        DnsContext? dns = settings.Mode.DnsEnabled ? DnsServing.Create(settings, loops, mesh, metrics, resolver, time, loggers) : null;
        if (dns is not null)
            readiness.Await(DnsTask);
        IServing serving = CreateServing(settings, proxies, dns, metrics, readiness, time, loggers);

        // 5. The HTTP ports, so that a start that takes long can be watched.
        var dump = new ConfigDump(
        [
            new ValueSection("config", json => ConfigSection.Write(json, settings)),
            .. MeshSections.Create(mesh, certificates, () => sources.LocalFile, build),
            .. serving.DumpSections,
        ]);
        PodTelemetry.AddTo(metrics, () => serving.Pods);
        IAdminPage[] pages =
        [
            new LoopsPage(loops),
            new ExplainPage(new ExplainContext(mesh, Composition.Routing(settings), Composition.Proxy(settings).Policies, proxies.DescribeLoadAsync, () => certificates.Snapshot(), failures, time)),
            new StatePage(new StateContext
            {
                Build = build,
                Readiness = readiness,
                Mesh = mesh,
                ControlPlane = sources.Describe,
                Certificates = () => certificates.Snapshot(),
                Failures = failures,
                Loops = loops,
                Pods = () => serving.Pods,
                Time = time,
            }),
        ];
        await using HttpServer http = CreateHttp(settings, metrics, levels, dump, pages, readiness, shutdown, loggers);
        await http.StartAsync(CancellationToken.None).ConfigureAwait(false);

        // 6. What is served is bound, so that nobody is refused who comes early; the control plane; with the first state of the mesh, traffic.
        if (settings.Mode.ProxyEnabled)
            DaemonLog.PartEnabled(loggers.CreateLogger("app"), "proxy mode");
        serving.Bind();
        if (dns is not null)
            readiness.Complete(DnsTask);
        if (settings.Mode.Mode == ProxyMode.Shared && !string.IsNullOrEmpty(settings.Node.NodeName))
            localCertificates.Start();
        sources.Start();
        await Task.WhenAny(mesh.FirstSync, shutdown.Requested).ConfigureAwait(false);
        if (!shutdown.Requested.IsCompleted)
        {
            serving.Start();
            readiness.Complete(StateTask);
        }

        using var idle = new IdleMemory(loops, time);
        await shutdown.Requested.ConfigureAwait(false);
        async Task StopAllAsync(CancellationToken limit)
        {
            await Task.WhenAll(serving.StopAsync(graceful: true), http.StopAsync(limit)).ConfigureAwait(false);
            // Nobody needs certificates any more: nothing new is asked for, and what is in flight is given up.
            Task certificatesStopped = certificates.DisposeAsync().AsTask();
            authority.Dispose();
            await Task.WhenAll(certificatesStopped, sources.DisposeAsync().AsTask()).ConfigureAwait(false);
        }

        if (await StopAsync(StopAllAsync, settings.Tuning.TerminationDeadline, shutdown, log, time).ConfigureAwait(false))
            return;

        // Whoever insists is not kept waiting by what is stuck, disposals included.
        await sink.StopAsync(LogFlushLimit).ConfigureAwait(false);
        Environment.Exit(0);
    }

    private static void Warn(ZtunnelSettings settings, ILogger log)
    {
        foreach (string warning in settings.Warnings)
            DaemonLog.SettingLeftOut(log, warning);
        ControlPlaneSettings plane = settings.ControlPlane;
        if (plane.Tls12Requested)
            DaemonLog.Tls12Ignored(log);
        if (plane.PostQuantumOnly && (plane.XdsAddress ?? plane.CaAddress) is not null)
            DaemonLog.PostQuantumBetweenWorkloadsOnly(log);
        if (plane is { XdsAddress: null, LocalXdsPath: null, LocalXds: null })
            DaemonLog.MeshWithoutSource(log);
    }

    /// <summary>Everything stops, each part within the deadline; a second signal or a stuck part ends the wait, and the answer is false.</summary>
    private static async Task<bool> StopAsync(Func<CancellationToken, Task> stopAll, TimeSpan deadline, Shutdown shutdown, ILogger log, TimeProvider time)
    {
        using var limit = new CancellationTokenSource(deadline, time);
        Task stopped = stopAll(limit.Token);
        Task overdue = Task.Delay(deadline + ShutdownMargin, time, CancellationToken.None);
        Task first = await Task.WhenAny(stopped, shutdown.Insisted, overdue).ConfigureAwait(false);
        if (first == overdue)
            DaemonLog.ShutdownOverdue(log, DurationText.Describe(deadline + ShutdownMargin));
        await first.ConfigureAwait(false);
        return first == stopped;
    }

    private static IServing CreateServing(ZtunnelSettings settings, ProxyFactory proxies, DnsContext? dns, MetricRegistry metrics, Readiness readiness, TimeProvider time, LogProvider loggers)
    {
        SocketSettings sockets = Composition.Sockets(settings);
        if (settings.Mode.Mode == ProxyMode.Dedicated)
            return new DedicatedServing(settings.Mode.Workload!, new WorkloadStarter(settings.Mode, proxies, dns, sockets), readiness);
        ILogger log = loggers.CreateLogger("inpod::statemanager");
        // With on-demand records nobody can tell from the mesh what else there is: nothing is assumed there.
        NodeDefaults? defaults = settings.ControlPlane.OnDemand ? null : new NodeDefaults(settings.ControlPlane.TrustDomain, settings.Node.Network, settings.Node.NodeName ?? "");
        var podProxies = new PodProxies(new WorkloadStarter(settings.Mode, proxies, dns, sockets), defaults);
        var pods = new PodSupervisor(podProxies, time, new WorkloadManagerMetrics(metrics), log);
        var source = new ZdsClient(settings.Mode.InpodSocket, pods, time, loggers.CreateLogger("inpod::workloadmanager"));
        PodTelemetry.AddAgent(metrics, () => source.IsConnected);
        return new SharedServing(settings.Node, proxies, sockets, podProxies, pods, source, readiness);
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
