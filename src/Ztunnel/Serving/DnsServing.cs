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
    public static DnsContext Create(ZtunnelSettings settings, LoopGroup loops, IMeshStore mesh, MetricRegistry metrics, ResolverSource resolver, TimeProvider time, ILoggerFactory logs) => new()
    {
        Loops = loops,
        Mesh = mesh,
        Metrics = new DnsMetrics(metrics),
        Settings = Composition.Dns(settings),
        Resolver = resolver,
        Logs = logs,
        Time = time,
    };

    /// <summary>Follows the resolver's file into <paramref name="resolver"/>; mesh names are answered without it.</summary>
    public static ResolverFile Follow(ResolverSource resolver, TimeProvider time, ILoggerFactory logs)
    {
        var file = new ResolverFile(ResolverConfiguration.DefaultPath, resolver, time, logs.CreateLogger("dns::server"));
        file.Start();
        return file;
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
