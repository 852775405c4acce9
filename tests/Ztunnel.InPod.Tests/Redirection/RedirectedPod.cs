using System.Globalization;
using Ztunnel.InPod.Redirection;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.InPod.Tests.Redirection;

/// <summary>A pod and the world outside, each with listeners on an application port, on port 53 and, in the pod, on the proxy's ports. Who answers tells where a packet was sent.</summary>
internal sealed class RedirectedPod : IDisposable
{
    private const string Python = "/usr/bin/python3";
    private static readonly string Script = Path.Combine(AppContext.BaseDirectory, "Redirection", "sockets.py");
    private readonly List<TestProcess> _servers = [];

    private RedirectedPod(TestNamespace pod, TestNamespace outside)
    {
        Pod = pod;
        Outside = outside;
    }

    public TestNamespace Pod { get; }

    public TestNamespace Outside { get; }

    public PodRedirection Redirection => new(Pod.Path);

    public static async Task<RedirectedPod> StartAsync()
    {
        TestNamespace pod = TestNamespace.Create("pod");
        TestNamespace outside = TestNamespace.Create("out");
        var started = new RedirectedPod(pod, outside);
        try
        {
            // The probe addresses belong to the outside: that is where the kubelet's packets come from.
            pod.ConnectTo(outside, "eth0", "eth0", ["10.66.0.2/24", "fd66::2/64"], ["10.66.0.1/24", "fd66::1/64", "169.254.7.127/32", "fd16:9254:7127:1337:ffff:ffff:ffff:ffff/128"]);
            pod.Run("ip", "route", "add", "default", "via", "10.66.0.1");
            pod.Run("ip", "-6", "route", "add", "default", "via", "fd66::1");
            await started.ServeAsync(pod, "8080", "15001", "15006", "15008", "15053");
            await started.ServeAsync(outside, "8080", "53");
            return started;
        }
        catch
        {
            started.Dispose();
            throw;
        }
    }

    public string AskTcp(TestNamespace from, string host, int port, uint mark = 0, string? source = null) => Ask("tcp", from, host, port, mark, source);

    public string AskUdp(TestNamespace from, string host, int port, uint mark = 0) => Ask("udp", from, host, port, mark, source: null);

    /// <summary>Everything in the packet filter and the routing of the pod that does not count packets.</summary>
    public string Snapshot()
    {
        string[] parts =
        [
            Pod.Run("iptables-save"), Pod.Run("ip6tables-save"), Pod.Run("nft", "list", "tables"), Pod.Run("nft", "--stateless", "list", "ruleset", "inet"),
            Pod.Run("ip", "-4", "rule"), Pod.Run("ip", "-6", "rule"), Routes("-4"), Routes("-6"),
        ];
        return string.Join('\n', string.Concat(parts).Split('\n').Where(static line => !line.StartsWith('#')).Select(static line => line.Split(" [")[0]));
    }

    /// <summary>The lines of <see cref="Snapshot"/> that are there because of us.</summary>
    public string[] Ours() =>
        [.. Snapshot().Split('\n').Where(static line => line.Contains("ISTIO", StringComparison.Ordinal) || line.Contains("istio", StringComparison.Ordinal) || line.Contains("32764", StringComparison.Ordinal) || line.Contains("local default", StringComparison.Ordinal))];

    public void Dispose()
    {
        _servers.ForEach(static server => server.Dispose());
        Pod.Dispose();
        Outside.Dispose();
    }

    private static string Ask(string kind, TestNamespace from, string host, int port, uint mark, string? source)
    {
        string[] options = [mark.ToString(CultureInfo.InvariantCulture), .. source is null ? Array.Empty<string>() : [source]];
        return from.Run(Python, [Script, "ask", kind, host, port.ToString(CultureInfo.InvariantCulture), .. options]).TrimEnd();
    }

    // A table nobody wrote to yet does not exist, which the tool calls an error.
    private string Routes(string family) => Pod.TryRun("ip", family, "route", "show", "table", "100").Output;

    private async Task ServeAsync(TestNamespace where, params string[] ports)
    {
        TestProcess server = where.Start(Python, [Script, "serve", .. ports]);
        _servers.Add(server);
        await server.WaitForLineAsync(static line => line == "ready");
    }
}
