using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.InPod;

/// <summary>One native ztunnel in a namespace of its own, which connects to whatever agent the test runs.</summary>
internal sealed class InPodNode(TestNamespace network, string folder) : IDisposable
{
    private TestProcess? _ztunnel;

    public TestNamespace Namespace { get; } = network;

    public TestProcess Ztunnel => _ztunnel ?? throw new InvalidOperationException("no ztunnel runs");

    /// <param name="socket">Of the agent.</param>
    /// <param name="more">Variables beside the usual ones. The resolver is that of /etc/netns, where there is one.</param>
    public void Start(string socket, params (string Name, string Value)[] more)
    {
        Dictionary<string, string> environment = FileMeshVariables.With(
            Path.Combine(folder, "mesh.yaml"), folder,
            [("NODE_NAME", "node-1"), ("POD_NAME", "ztunnel"), ("POD_NAMESPACE", "default"), ("SERVICE_ACCOUNT", "ztunnel"), ("INPOD_UDS", socket)],
            more);
        _ztunnel = TestProcess.Start("ip", environment, "netns", "exec", Namespace.Name, TestNode.Binary, "proxy", "ztunnel");
    }

    public Task WaitForLogAsync(string part) => Ztunnel.WaitForLineAsync(line => line.Contains(part, StringComparison.Ordinal));

    /// <summary>"ready" or what it waits for.</summary>
    public string ReadReadiness() => Namespace.Run("curl", "-sS", "--max-time", "5", "http://127.0.0.1:15021/healthz/ready").Trim();

    /// <summary>How many connections came in for captured pods under this security policy, however they ended.</summary>
    public double CountInbound(string securityPolicy) => TestNode.SumOf(
        Namespace.Run("curl", "-sS", "--max-time", "5", "http://127.0.0.1:15020/metrics"),
        "istio_tcp_connections_opened_total", "reporter=\"destination\"", $"connection_security_policy=\"{securityPolicy}\"");

    /// <summary>Leaves the log of this run beside the test assembly: what a failed test is looked into with.</summary>
    public void Dispose()
    {
        if (_ztunnel is not null)
            File.WriteAllText(Path.Combine(AppContext.BaseDirectory, Namespace.Name.Split('-')[1] + ".log"), _ztunnel.Output + _ztunnel.Error);
        _ztunnel?.Dispose();
        Namespace.Dispose();
    }
}
