using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Ztunnel.Dns.Forwarding;
using Ztunnel.Dns.Serving;
using Ztunnel.Linux;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.State;
using Ztunnel.Settings;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Serving;

/// <summary>Composes DNS capture.</summary>
internal static class DnsServing
{
    /// <summary>Reads the resolver's file once, at start. Without it mesh names are still answered.</summary>
    public static DnsContext Create(ZtunnelSettings settings, LoopGroup loops, IMeshStore mesh, MetricRegistry metrics, TimeProvider time, ILoggerFactory logs)
    {
        var resolver = new ResolverConfiguration();
        try
        {
            resolver = ResolverConfiguration.Parse(File.ReadAllText(ResolverConfiguration.DefaultPath));
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            DaemonLog.ResolverUnknown(logs.CreateLogger("dns::server"), ResolverConfiguration.DefaultPath, unreadable.Message);
        }

        return new DnsContext
        {
            Loops = loops,
            Mesh = mesh,
            Metrics = new DnsMetrics(metrics),
            Settings = Composition.Dns(settings, resolver),
            Logs = logs,
            Time = time,
        };
    }

    /// <summary>The mark where none is set, if this process may set it; a process without the capability serves without, and says so.</summary>
    public static uint? FindMark(DnsContext? dns)
    {
        if (dns is null)
            return null;
        try
        {
            new SocketFactory(pod: null, new SocketSettings { Mark = ModeSettings.DefaultMark }).OpenUdp(AddressFamily.InterNetwork).Dispose();
            return ModeSettings.DefaultMark;
        }
        catch (LinuxException refused)
        {
            DaemonLog.DnsUnmarked(dns.Logs.CreateLogger("dns::server"), refused.Message);
            return null;
        }
    }
}
