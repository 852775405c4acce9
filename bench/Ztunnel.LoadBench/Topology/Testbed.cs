using System.Globalization;

namespace Ztunnel.LoadBench.Topology;

/// <summary>
/// Two network namespaces joined by a veth pair: the client pod, where the application's connections are captured by REDIRECT, and the server pod.
/// Every subject has its own two, so that all stand side by side and take turns within seconds: a machine that slows down slows all of them.
/// </summary>
internal sealed class Testbed : IAsyncDisposable
{
    public const string NamePrefix = "zt-bench-";
    public const string ClientAddress = "10.211.0.1";
    public const string ServerAddress = "10.211.0.2";

    /// <summary>Further addresses of the server pod, all local there: each is a destination without a tunnel.</summary>
    public const string FreshFirst = "10.212.0.0";
    private const string FreshNetwork = "10.212.0.0/16";

    public const int ApplicationPort = 8080;
    public const int CapturePort = 15001;
    public const int WirePort = 15008;
    public const int ProxyMark = 1337;
    private const int InboundCapturePort = 15006;

    private bool _capturesInbound;

    private Testbed(string subject)
    {
        Client = $"{NamePrefix}{subject}-c";
        Server = $"{NamePrefix}{subject}-s";
    }

    public string Client { get; }

    public string Server { get; }

    public static async Task<Testbed> CreateAsync(string subject, string congestionControl, bool isCaptured)
    {
        var bed = new Testbed(subject);
        await bed.DisposeAsync();
        foreach (string name in new[] { bed.Client, bed.Server })
        {
            await Command.RunAsync("ip", "netns", "add", name);
            await bed.InAsync(name, "ip", "link", "set", "lo", "up");
        }

        await Command.RunAsync("ip", "link", "add", "eth0", "netns", bed.Client, "type", "veth", "peer", "name", "eth0", "netns", bed.Server);
        await bed.SetUpAsync(bed.Client, $"{ClientAddress}/24", congestionControl);
        await bed.SetUpAsync(bed.Server, $"{ServerAddress}/24", congestionControl);
        await bed.InAsync(bed.Client, "ip", "route", "add", FreshNetwork, "via", ServerAddress);
        await bed.InAsync(bed.Server, "ip", "route", "add", "local", FreshNetwork, "dev", "lo");
        if (isCaptured)
        {
            await bed.CaptureAsync();
        }

        return bed;
    }

    public Task<string> InAsync(string name, string program, params string[] arguments) => Command.RunAsync("ip", ["netns", "exec", name, program, .. arguments]);

    /// <summary>Captures in the server pod too what arrives for its application in plain text.</summary>
    public async Task CaptureInboundAsync()
    {
        await InAsync(Server, "iptables", "-t", "nat", "-A", "PREROUTING", "-p", "tcp", "--dport", $"{ApplicationPort}", "-j", "REDIRECT", "--to-ports", $"{InboundCapturePort}");
        await ForgetClosedSoonAsync(Server);
        _capturesInbound = true;
    }

    /// <summary>How many connections the capture rules have redirected since they were made; with inbound capture, those of the side that saw fewer.</summary>
    public async Task<long> CountCapturedAsync()
    {
        long outbound = CountRedirected(await InAsync(Client, "iptables", "-t", "nat", "-nvxL", "OUTPUT"));
        return _capturesInbound ? Math.Min(outbound, CountRedirected(await InAsync(Server, "iptables", "-t", "nat", "-nvxL", "PREROUTING"))) : outbound;
    }

    /// <summary>Removes the namespaces; whatever still runs in them is ours and ends first.</summary>
    public async ValueTask DisposeAsync()
    {
        await RemoveAsync(Client);
        await RemoveAsync(Server);
    }

    /// <summary>Removes what an earlier run left behind that could not clean up.</summary>
    public static async Task RemoveAllAsync()
    {
        string list = await Command.RunAsync("ip", "netns", "list");
        foreach (string line in list.Split('\n').Where(static line => line.StartsWith(NamePrefix, StringComparison.Ordinal)))
        {
            await RemoveAsync(line.Split(' ')[0]);
        }
    }

    private static long CountRedirected(string rules) =>
        rules.Split('\n').Where(static line => line.Contains("REDIRECT", StringComparison.Ordinal))
            .Sum(static line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[0], CultureInfo.InvariantCulture));

    private static async Task RemoveAsync(string name)
    {
        if (!File.Exists($"/run/netns/{name}"))
        {
            return;
        }

        string processes = await Command.RunAsync("ip", "netns", "pids", name);
        foreach (string id in processes.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            _ = Native.Libc.kill(int.Parse(id, CultureInfo.InvariantCulture), 9);
        }

        await Command.RunAsync("ip", "netns", "delete", name);
    }

    private async Task SetUpAsync(string name, string address, string congestionControl)
    {
        await InAsync(name, "ip", "address", "add", address, "dev", "eth0");
        await InAsync(name, "ip", "link", "set", "eth0", "up");
        // Many short connections to one address: ports are used again after a second instead of a minute, 50,000 fit, and none is taken that a proxy listens on.
        await InAsync(name, "sysctl", "-q", "-w", $"net.ipv4.tcp_congestion_control={congestionControl}", "net.ipv4.ip_local_port_range=10000 65500", "net.ipv4.ip_local_reserved_ports=15000-15099",
            "net.ipv4.tcp_tw_reuse=1");
    }

    private async Task CaptureAsync()
    {
        // Only what goes to the application is captured; the proxies' own connection to the wire port passes, whoever they are. Where the wire is plain text it goes to the same port: a mark tells it apart.
        string[] destinations = [ServerAddress, FreshNetwork];
        foreach (string destination in destinations)
        {
            await InAsync(Client, "iptables", "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "-d", destination, "--dport", $"{ApplicationPort}", "-m", "mark", "!", "--mark", $"{ProxyMark}", "-j", "REDIRECT", "--to-ports", $"{CapturePort}");
        }

        await ForgetClosedSoonAsync(Client);
    }

    /// <summary>10,000 connections a second would fill the table with dead entries within half a minute.</summary>
    private Task ForgetClosedSoonAsync(string name)
    {
        string[] timeouts = ["time_wait", "close", "close_wait", "fin_wait", "last_ack"];
        return InAsync(name, "sysctl", ["-q", "-w", .. timeouts.Select(static state => $"net.netfilter.nf_conntrack_tcp_timeout_{state}=3")]);
    }
}
