using System.Globalization;
using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Faults;

/// <summary>The other proxy, or the way to it, fails under open connections (tests/faults.md): what applications on both sides see, and for how long.</summary>
[Collection(FaultCollection.Name)]
public sealed class PeerFaultTests(FaultMesh mesh)
{
    /// <summary>A pause that is shorter than peers wait costs time and nothing else.</summary>
    [NamespaceFact]
    public async Task Proxy_StoppedAndContinued_TransferGoesOnAndNoByteIsLost()
    {
        double before = await ReceivedAsync();
        Task<string> transfer = mesh.Client.RunAsync("transfer", mesh.Victim.Address, 8081, "268435456", TimeSpan.FromSeconds(120));
        await UntilAsync(async () => await ReceivedAsync() > before + 1_000_000);
        mesh.Ztunnel(mesh.Victim).Signal("STOP");

        // The client's own proxy waits for nobody: others are served as ever while one stands still.
        for (int round = 0; round < 3; round++)
            Assert.Equal("answer hellohello", await mesh.AskAsync(mesh.Well));
        Assert.False(transfer.IsCompleted, "the transfer was over before the proxy was stopped: this test has shown nothing");
        mesh.Ztunnel(mesh.Victim).Signal("CONT");

        Assert.Equal("ok", await transfer);
    }

    /// <summary>The kernel ends a killed proxy's connections: the applications on both sides learn of it at once, as a reset. Its successor serves.</summary>
    [NamespaceFact]
    public async Task Proxy_KilledInATransfer_ApplicationsSeeAResetAtOnce_SuccessorServes()
    {
        using TestProcess pouring = await mesh.OpenAsync("pour", mesh.Victim, 8086, "pouring");

        mesh.Ztunnel(mesh.Victim).Signal("KILL");

        Assert.InRange(SecondsOf(await pouring.WaitForLineAsync(static line => line.StartsWith("reset after ", StringComparison.Ordinal)), "reset"), 0, 5);
        Assert.EndsWith("bytes then reset", await mesh.Victim.Server.WaitForLineAsync(static line => line.StartsWith("silent received", StringComparison.Ordinal)), StringComparison.Ordinal);
        await WaitForAccessAsync(mesh.Client, mesh.Victim, "reason=\"tunnel_lost\"");
        // Nobody listens: refused at once, not after a time limit.
        Assert.Equal("reset", await mesh.AskAsync(mesh.Victim));
        await mesh.StartAsync(mesh.Victim);
        Assert.Equal("answer hellohello", await mesh.AskAsync(mesh.Victim));
    }

    /// <summary>Half-open: nothing comes back any more, no reset and no end. Both sides give up by themselves.</summary>
    [NamespaceFact]
    public async Task Link_Gone_BothSidesGiveUpWithinThirtySeconds()
    {
        double seconds = SecondsOf(await mesh.UnpluggedConnection.WaitForLineAsync(static line => line.Contains(" after ", StringComparison.Ordinal), FaultMesh.SilenceLimit), "reset");

        Assert.InRange(seconds, 15, 40);
        await WaitForAccessAsync(mesh.Client, mesh.Unplugged, "reason=\"tunnel_timed_out\"");
        await mesh.Ztunnel(mesh.Unplugged).WaitForLineAsync(
            static line => line.Contains("connection complete", StringComparison.Ordinal) && line.Contains("reason=\"tunnel_timed_out\"", StringComparison.Ordinal), FaultMesh.SilenceLimit);

        mesh.Bridge.Run("ip", "link", "set", FaultMesh.LinkOf(mesh.Unplugged), "up");
        await UntilAsync(async () => await mesh.AskAsync(mesh.Unplugged) == "answer hellohello");
    }

    /// <summary>A proxy that stands still for longer than peers wait: they give up; it finds its connections gone when it goes on, and serves new ones.</summary>
    [NamespaceFact]
    public async Task Proxy_StoppedForLong_PeerGivesUpWithinThirtySeconds_NewConnectionsServedAfterwards()
    {
        double seconds = SecondsOf(await mesh.FrozenConnection.WaitForLineAsync(static line => line.Contains(" after ", StringComparison.Ordinal), FaultMesh.SilenceLimit), "reset");

        Assert.InRange(seconds, 15, 40);
        await WaitForAccessAsync(mesh.Client, mesh.Frozen, "reason=\"tunnel_timed_out\"");
        mesh.Ztunnel(mesh.Frozen).Signal("CONT");
        await UntilAsync(async () => await mesh.AskAsync(mesh.Frozen) == "answer hellohello");
        await mesh.Ztunnel(mesh.Frozen).WaitForLineAsync(static line => line.Contains("connection complete", StringComparison.Ordinal) && line.Contains("reason=", StringComparison.Ordinal));
    }

    /// <summary>The kernel forgets which connections it redirects: those that are open go on, since the rules say the same of their next packet, and new ones come.</summary>
    [NamespaceFact]
    public async Task Conntrack_Flushed_OpenConnectionsGoOn()
    {
        using TestProcess open = await mesh.OpenAsync("hold", mesh.Victim, 8080, "connected");
        await AnswersAsync(open, "one");

        foreach (TestPod pod in (TestPod[])[mesh.Client, mesh.Victim])
            pod.Namespace.Run("conntrack", "-F");

        await AnswersAsync(open, "two");
        Assert.Equal("answer hellohello", await mesh.AskAsync(mesh.Victim));
    }

    /// <summary>A tunnel whose link gets narrower under it, down to the smallest that IPv4 and IPv6 know.</summary>
    [NamespaceTheory]
    [InlineData(1280)]
    [InlineData(576)]
    public async Task Mtu_Shrinks_TransfersAreByteIdentical(int mtu)
    {
        using TestProcess open = await mesh.OpenAsync("hold", mesh.Victim, 8080, "connected");
        await AnswersAsync(open, "one");
        try
        {
            SetMtu(mtu);

            await AnswersAsync(open, new string('x', 4000));
            Assert.Equal("ok", await mesh.Client.RunAsync("transfer", mesh.Victim.Address, 8081, "8000003", TimeSpan.FromSeconds(60)));
        }
        finally
        {
            SetMtu(1500);
        }
    }

    private Task<double> ReceivedAsync() => FaultMesh.ReadMetricAsync(mesh.Victim, "istio_tcp_received_bytes_total", "reporter=\"destination\"");

    private void SetMtu(int mtu)
    {
        foreach (TestPod pod in (TestPod[])[mesh.Client, mesh.Victim])
        {
            pod.Namespace.Run("ip", "link", "set", "eth0", "mtu", mtu.ToString(CultureInfo.InvariantCulture));
            mesh.Bridge.Run("ip", "link", "set", FaultMesh.LinkOf(pod), "mtu", mtu.ToString(CultureInfo.InvariantCulture));
        }
    }

    private async Task WaitForAccessAsync(TestPod from, TestPod to, string part) => await mesh.Ztunnel(from).WaitForLineAsync(
        line => line.Contains("connection complete", StringComparison.Ordinal) && line.Contains($"dst.hbone_addr={to.Address}:", StringComparison.Ordinal) && line.Contains(part, StringComparison.Ordinal), FaultMesh.SilenceLimit);

    private static async Task AnswersAsync(TestProcess connection, string text)
    {
        connection.SendLine(text);
        await connection.WaitForLineAsync(line => line.Length == "answer ".Length + 2 * text.Length && line.EndsWith(text, StringComparison.Ordinal));
    }

    private static double SecondsOf(string line, string end)
    {
        Assert.StartsWith($"{end} after ", line, StringComparison.Ordinal);
        return double.Parse(line.AsSpan(line.LastIndexOf(' ') + 1), CultureInfo.InvariantCulture);
    }

    private static async Task UntilAsync(Func<Task<bool>> holds)
    {
        using var limit = new CancellationTokenSource(FaultMesh.SilenceLimit);
        while (!await holds())
            limit.Token.ThrowIfCancellationRequested();
    }
}
