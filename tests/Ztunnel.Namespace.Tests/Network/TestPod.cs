using System.Globalization;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Network;

/// <summary>A pod of the test mesh: its namespace, its addresses, the programs that run in it.</summary>
internal sealed class TestPod(TestNamespace network, string name, string node, string address, string address6) : IDisposable
{
    private const string Python = "/usr/bin/python3";
    private static readonly string Programs = Path.Combine(AppContext.BaseDirectory, "Programs");

    private TestProcess? _server;

    public TestNamespace Namespace { get; } = network;

    /// <summary>Also its service account.</summary>
    public string Name { get; } = name;

    public string Node { get; } = node;

    /// <summary>Whether the mesh says that tunnels lead to it; without a node they never do.</summary>
    public bool IsEnrolled { get; init; } = true;

    public string Address { get; } = address;

    public string Address6 { get; } = address6;

    public string Identity => $"spiffe://{MeshFile.TrustDomainOf(Name)}/ns/default/sa/{Name}";

    /// <summary>What its server has printed.</summary>
    public TestProcess Server => _server ?? throw new InvalidOperationException($"{Name} has no server");

    public static string Program(string name) => Path.Combine(Programs, name);

    public async Task StartServerAsync()
    {
        _server = Namespace.Start(Python, Program("server.py"));
        await _server.WaitForLineAsync(static line => line == "ready");
    }

    /// <summary>Runs a verb of client.py to its end and returns the line it prints.</summary>
    public async Task<string> RunAsync(string verb, string host, int port, string argument = "", TimeSpan? limit = null)
    {
        // On a thread of its own: waiting for a program blocks, and tests run dozens at once, whose output the pool's threads read.
        CommandResult result = await Task.Factory.StartNew(
            () => TestCommand.Run(limit ?? TimeSpan.FromSeconds(30), "ip", Arguments(verb, host, port, argument)), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        return result.Succeeded ? result.Output.TrimEnd('\n') : LastLine(result.Error);
    }

    /// <summary>Starts a verb that runs until it is told or disposed.</summary>
    public TestProcess Start(string verb, string host, int port, string argument = "") => TestProcess.Start("ip", Arguments(verb, host, port, argument));

    public void Dispose()
    {
        _server?.Dispose();
        Namespace.Dispose();
    }

    private string[] Arguments(string verb, string host, int port, string argument)
    {
        string[] command = ["netns", "exec", Namespace.Name, Python, Program("client.py"), verb, host, port.ToString(CultureInfo.InvariantCulture)];
        return argument.Length > 0 ? [.. command, argument] : command;
    }

    // A client that fails says so with the last line of its trace: "ConnectionResetError: [Errno 104] ...".
    private static string LastLine(string error) => error.TrimEnd('\n').Split('\n')[^1];
}
