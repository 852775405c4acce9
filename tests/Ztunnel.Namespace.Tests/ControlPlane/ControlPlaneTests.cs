using System.Text.Json;
using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.ControlPlane;

/// <summary>The native binary with a control plane that is late, goes away and comes back as another one (control-path 11): what pods and the node's probe see of it.</summary>
public sealed class ControlPlaneTests
{
    [NamespaceFact]
    public async Task ControlPlane_LateThenGoneThenBack_ServesFromTheFirstStateOn()
    {
        using ControlPlaneNetwork network = await ControlPlaneNetwork.CreateAsync();

        // Down at start: nothing is served, the probe says what is missing, and so does the log.
        Task ready = network.StartZtunnelAsync(("SECRET_TTL", "1h"));
        await network.Node.WaitForLogAsync("XDS client connection error", "retrying in");
        Assert.Equal("not ready, pending: state manager, workload proxy manager", (await network.ReadinessAsync()).TrimEnd('\n'));
        Assert.StartsWith("ConnectionRefusedError", await network.Client.RunAsync("send", MeshFile.Vip, 80, "x"), StringComparison.Ordinal);

        // It comes: ready without a restart, certificates from its authority.
        await network.StartIstiodAsync();
        await ready;
        Assert.Equal("helloworldhelloworld", await network.Client.RunAsync("send", MeshFile.Vip, 80, "helloworld"));
        await network.Node.WaitForLogAsync("connection complete", $"src.identity=\"{network.Client.Identity}\"", $"dst.identity=\"{network.Server.Identity}\"", "direction=\"inbound\"");
        Assert.Equal("xx", await network.Client.RunAsync("send", network.Guarded.Address, 8080, "x"));

        // It goes: the last state serves on, new connections included, and the probe does not mind.
        using TestProcess live = network.Client.Start("hold", network.Guarded.Address, 8080);
        live.SendLine("one");
        await live.WaitForLineAsync(static line => line == "answer oneone");
        network.StopIstiod();
        network.WriteMesh("nobody");
        Assert.Equal("yy", await network.Client.RunAsync("send", network.Guarded.Address, 8080, "y"));
        Assert.Equal("zz", await network.Client.RunAsync("send", MeshFile.Vip, 80, "z"));
        Assert.Equal("ready", (await network.ReadinessAsync()).TrimEnd('\n'));

        // It comes back with another root, other tokens and another policy: all three are taken over, and the live connection is judged again.
        await network.StartIstiodAsync();
        await network.Node.WaitForLogAsync("connection complete", "connection closed due to policy change");
        await AssertResetAsync(network.Client, network.Guarded.Address);

        network.Node.Ztunnel.Signal("TERM");
        Assert.Equal(0, network.Node.Ztunnel.WaitForEnd(TestCommand.Limit).ExitCode);
    }

    /// <summary>Certificates of four seconds are replaced every two: connections that are open keep their bytes, new ones find the new certificate, and nobody fails.</summary>
    [NamespaceFact]
    public async Task Certificates_RotatedUnderLoad_LoseNothing()
    {
        using ControlPlaneNetwork network = await ControlPlaneNetwork.CreateAsync();
        await network.StartIstiodAsync();
        await network.StartZtunnelAsync(("SECRET_TTL", "4s"));
        using TestProcess live = network.Client.Start("hold", MeshFile.Vip, 80);
        await AskAsync(live, "before");
        using TestProcess load = network.Client.Start("steady", MeshFile.Vip, 80, "4");
        await load.WaitForLineAsync(static line => line == "running");
        string serial = await SerialOfAsync(network, network.Client);

        // Two rotations, with a transfer under way nearly all the time.
        for (int rotations = 0, rounds = 0; rotations < 2; rounds++)
        {
            Assert.True(rounds < 300, "no certificate has been replaced");
            Assert.Equal("ok", await network.Client.RunAsync("transfer", MeshFile.Vip, 81, "5000000"));
            string now = await SerialOfAsync(network, network.Client);
            rotations += now == serial ? 0 : 1;
            serial = now;
        }

        await AskAsync(live, "after");
        Assert.Equal("newnew", await network.Client.RunAsync("send", MeshFile.Vip, 80, "new"));
        load.SendLine("");
        Assert.DoesNotContain("failed", await load.WaitForLineAsync(static line => line.Contains(" ok", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    /// <summary>
    /// Dedicated mode: the ports are bound before the control plane has said anything (control-path 1.2, step 17). A pod that is captured already is not refused then: what comes in and what goes out
    /// waits, and is served with the first state.
    /// </summary>
    [NamespaceFact]
    public async Task Dedicated_BeforeTheFirstState_ConnectionsWaitAndAreServedWithIt()
    {
        using ControlPlaneNetwork network = await ControlPlaneNetwork.CreateAsync();
        await network.StartIstiodAsync();
        await network.TellIstiodAsync("hold");
        using TestProcess ztunnel = network.StartDedicated(network.Server);
        await ztunnel.WaitForLineAsync(static line => line.Contains("Task 'proxy' complete", StringComparison.Ordinal));

        using TestProcess inbound = network.Outsider.Start("hold", network.Server.Address, 8080);
        using TestProcess outbound = network.Server.Start("hold", network.Outsider.Address, 8080);
        using TestProcess tunnel = network.Outsider.Start("hold", network.Server.Address, 15008);
        foreach (TestProcess connection in (TestProcess[])[inbound, outbound, tunnel])
        {
            await connection.WaitForLineAsync(static line => line == "connected");
            connection.SendLine("early");
        }

        string readiness = await Task.Run(() => network.Server.Namespace.Run("curl", "-sS", "--max-time", "5", "http://127.0.0.1:15021/healthz/ready"));
        Assert.Equal("not ready, pending: state manager", readiness.TrimEnd('\n'));
        Assert.All([inbound, outbound, tunnel], static connection => Assert.Equal("connected", connection.Output.TrimEnd('\n')));

        await network.TellIstiodAsync("release");
        await inbound.WaitForLineAsync(static line => line == "answer earlyearly");
        await outbound.WaitForLineAsync(static line => line == "answer earlyearly");
        // No TLS: accepted, and closed for what it said.
        await ztunnel.WaitForLineAsync(line => line.Contains($"src.addr={network.Outsider.Address}:", StringComparison.Ordinal) && line.Contains("tls", StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>
    /// Dedicated mode, DNS captured, the control plane known by name: the process's own look-up of that name comes to its own DNS server, before there is a state. It is asked outside; a certificate is
    /// fetched by name, too; and what the mesh has is answered from the mesh.
    /// </summary>
    [NamespaceFact]
    public async Task Dedicated_DnsCapturedAndControlPlaneByName_IsReady()
    {
        using ControlPlaneNetwork network = ControlPlaneNetwork.Create();
        await network.StartIstiodAsync();
        network.StartResolver(network.Server, "istiod.istio-system.svc.cluster.local");
        await Task.Run(() => TestCommand.Run(TimeSpan.FromSeconds(20), TestNode.Binary, "redirect", "install", "--netns", network.Server.Namespace.Path, "--dns-capture", "true").EnsureSucceeded());
        (string, string)[] byName = [("XDS_ADDRESS", "istiod.istio-system.svc:15012"), ("CA_ADDRESS", "istiod.istio-system.svc:15012"), ("ISTIO_META_DNS_CAPTURE", "true"), ("RUST_LOG", "info,ztunnel::identity=debug")];

        using TestProcess ztunnel = network.StartDedicated(network.Server, byName);

        await ztunnel.WaitForLineAsync(static line => line.Contains("marking server ready", StringComparison.Ordinal));
        Assert.Equal(MeshFile.Vip, (await Task.Run(() => network.Server.Namespace.Run("dig", "+short", MeshFile.Hostname))).Trim());
        // Refused for want of a certificate of its own; ours is needed to get that far.
        await Task.Run(() => network.Outsider.Namespace.TryRun("curl", "-sk", "--max-time", "5", $"https://{network.Server.Address}:15008/"));
        await ztunnel.WaitForLineAsync(static line => line.Contains("certificate fetch succeeded", StringComparison.Ordinal));
    }

    [NamespaceFact]
    public async Task Stopped_WhileWaitingForTheControlPlane_EndsInTime()
    {
        using ControlPlaneNetwork network = ControlPlaneNetwork.Create();
        Task ready = network.StartZtunnelAsync();
        await network.Node.WaitForLogAsync("XDS client connection error");

        network.Node.Ztunnel.Signal("TERM");

        Assert.Equal(0, network.Node.Ztunnel.WaitForEnd(TestCommand.Limit).ExitCode);
        await Assert.ThrowsAsync<InvalidOperationException>(() => ready);
    }

    [NamespaceFact]
    public async Task OnDemand_FirstUse_AsksOnceAndRefusesWhatStaysUnknown()
    {
        using ControlPlaneNetwork network = await ControlPlaneNetwork.CreateAsync();
        await network.StartIstiodAsync();
        await network.StartZtunnelAsync(("XDS_ON_DEMAND", "true"));

        // A service by its address, at first use: through the mesh, not past it.
        Assert.Equal("xx", await network.Client.RunAsync("send", MeshFile.Vip, 80, "x"));
        await network.Node.WaitForLogAsync("connection complete", "dst.service=\"server.default.svc.cluster.local\"", "direction=\"outbound\"", $"dst.identity=\"{network.Server.Identity}\"");

        // An address that the control plane says is nobody's: outside of the mesh; the second time nobody is asked.
        Assert.Equal("xx", await network.Client.RunAsync("send", network.Outsider.Address, 8080, "x"));
        await network.TellIstiodAsync("hold");
        Assert.Equal("yy", await network.Client.RunAsync("send", network.Outsider.Address, 8080, "y"));

        // An address that nobody says anything about: it may be a workload that must not be spoken to in plain text.
        await AssertResetAsync(network.Client, "10.213.9.77");
        await network.Node.WaitForLogAsync("connection failed", "the control plane did not say in time what /10.213.9.77 is");
    }

    private static async Task AskAsync(TestProcess connection, string text)
    {
        connection.SendLine(text);
        await connection.WaitForLineAsync(line => line == $"answer {text}{text}");
    }

    /// <summary>The serial number of the certificate that the pod's connections use now.</summary>
    private static async Task<string> SerialOfAsync(ControlPlaneNetwork network, TestPod pod)
    {
        using JsonDocument dump = JsonDocument.Parse(await Task.Run(() => network.Node.Namespace.Run("curl", "-sS", "--max-time", "5", "http://127.0.0.1:15000/config_dump")));
        return dump.RootElement.GetProperty("certificates").EnumerateArray()
            .Single(entry => entry.GetProperty("identity").GetString() == pod.Identity)
            .GetProperty("certChain")[0].GetProperty("serialNumber").GetString()!;
    }

    // A refusal that is quick meets the client before its first byte, a slower one after it.
    private static async Task AssertResetAsync(TestPod client, string address)
    {
        string outcome = await client.RunAsync("expect", address, 8080);
        Assert.True(outcome == "reset" || outcome.StartsWith("ConnectionResetError", StringComparison.Ordinal), outcome);
    }
}
