using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.ControlPlane;

/// <summary>What a node lives on goes away while it serves: control plane, authority, node agent (tests/faults.md). Pods keep what they have.</summary>
public sealed class OutageTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>All seven combinations of what can be gone, one after the other: connections that are open and such that are new do not notice, readiness says which one it is, and it all comes back by itself.</summary>
    [NamespaceFact]
    public async Task Outages_InEveryCombination_NobodyNotices_AndAllComesBack()
    {
        using ControlPlaneNetwork network = await ControlPlaneNetwork.CreateAsync();
        await network.StartIstiodAsync();
        await network.StartZtunnelAsync(("SECRET_TTL", "1h"));
        using TestProcess open = network.Client.Start("hold", MeshFile.Vip, 80);
        await AnswersAsync(open, "before");

        for (int gone = 1; gone < 8; gone++)
        {
            (bool controlPlane, bool authority, bool agent) = ((gone & 1) != 0, (gone & 2) != 0, (gone & 4) != 0);
            if (authority)
                await network.TellIstiodAsync("refuse-certificates 14 down");
            if (controlPlane)
            {
                await network.TellIstiodAsync("refuse-streams 14 down");
                await network.TellIstiodAsync("disconnect");
                await UntilAsync(async () => await ConnectedAsync(network) == 0);
            }

            if (agent)
            {
                network.Node.StopAgent();
                await UntilAsync(async () => await ReadinessAsync(network) == "not ready, pending: workload proxy manager");
            }

            await AnswersAsync(open, $"gone{gone}");
            Assert.Equal("xx", await network.Client.RunAsync("send", MeshFile.Vip, 80, "x"));
            Assert.Equal("yy", await network.Outsider.RunAsync("send", network.Server.Address, 8080, "y"));
            Assert.Equal(agent ? "not ready, pending: workload proxy manager" : "ready", await ReadinessAsync(network));

            await network.TellIstiodAsync("accept-certificates");
            await network.TellIstiodAsync("accept-streams");
            if (agent)
                network.Node.StartAgent();
            await UntilAsync(async () => await ConnectedAsync(network) == 1 && await ReadinessAsync(network) == "ready");
            await AnswersAsync(open, $"back{gone}");
        }
    }

    /// <summary>The authority is gone for longer than certificates live: what is open goes on; what is new is refused at once and says why, until the authority is back.</summary>
    [NamespaceFact]
    public async Task Authority_GoneUntilCertificatesExpire_OpenConnectionsGoOn_NewOnesAreRefusedUntilItIsBack()
    {
        using ControlPlaneNetwork network = await ControlPlaneNetwork.CreateAsync();
        await network.StartIstiodAsync();
        await network.StartZtunnelAsync(("SECRET_TTL", "6s"));
        using TestProcess open = network.Client.Start("hold", network.Server.Address, 8080);
        await AnswersAsync(open, "before");
        Task<string> transfer = network.Client.RunAsync("upload", network.Server.Address, 8085, "50331648", TimeSpan.FromSeconds(90));
        await network.TellIstiodAsync("refuse-certificates 14 down");

        await network.Node.Ztunnel.WaitForLineAsync(static line => line.Contains("certificate fetch failed", StringComparison.Ordinal) && line.Contains("sa/client", StringComparison.Ordinal) && line.Contains("still_valid=false", StringComparison.Ordinal), Patience);

        await AnswersAsync(open, "expired");
        Assert.False(transfer.IsCompleted, "the transfer was over before the certificates were: this test has shown nothing");
        Assert.StartsWith("ConnectionReset", await network.Client.RunAsync("send", network.Guarded.Address, 8080, "x"), StringComparison.Ordinal);
        await network.Node.WaitForLogAsync("connection complete", $"dst.hbone_addr={network.Guarded.Address}:8080", "reason=\"identity_unavailable\"");

        await network.TellIstiodAsync("accept-certificates");
        await UntilAsync(async () => await network.Client.RunAsync("send", network.Guarded.Address, 8080, "x") == "xx");
        await AnswersAsync(open, "back");
        Assert.Equal("ok", await transfer);
    }

    /// <summary>A transfer that takes longer than certificates live, over renewals in time: nobody notices.</summary>
    [NamespaceFact]
    public async Task Certificates_ExpireDuringATransfer_ItGoesOnToItsLastByte()
    {
        using ControlPlaneNetwork network = await ControlPlaneNetwork.CreateAsync();
        await network.StartIstiodAsync();
        await network.StartZtunnelAsync(("SECRET_TTL", "4s"));

        // Nine seconds at what the server reads: the certificates of both sides expire twice on the way.
        Task<string> transfer = network.Client.RunAsync("upload", network.Server.Address, 8085, "37748736", TimeSpan.FromSeconds(60));
        int served = 0;
        while (!transfer.IsCompleted)
        {
            Assert.Equal("xx", await network.Client.RunAsync("send", network.Guarded.Address, 8080, "x"));
            served++;
        }

        Assert.Equal("ok", await transfer);
        Assert.True(served > 1, "the transfer was over too soon: this test has shown nothing");
    }

    private static Task<double> ConnectedAsync(ControlPlaneNetwork network) => Task.Run(async () =>
    {
        string sample = (await network.Node.ScrapeAsync()).Split('\n').Single(static line => line.StartsWith("ztunnel_xds_connected ", StringComparison.Ordinal));
        return double.Parse(sample.AsSpan(sample.LastIndexOf(' ') + 1), System.Globalization.CultureInfo.InvariantCulture);
    });

    private static async Task<string> ReadinessAsync(ControlPlaneNetwork network) => (await network.ReadinessAsync()).TrimEnd('\n');

    private static async Task AnswersAsync(TestProcess connection, string text)
    {
        connection.SendLine(text);
        await connection.WaitForLineAsync(line => line == $"answer {text}{text}");
    }

    private static async Task UntilAsync(Func<Task<bool>> holds)
    {
        using var limit = new CancellationTokenSource(Patience);
        while (!await holds())
            limit.Token.ThrowIfCancellationRequested();
    }
}
