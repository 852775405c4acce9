using System.Globalization;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Scenarios;

/// <summary>What every scrape has to hold, and the counters of one connection while it is open (data-path 10.1).</summary>
[Collection(ScenarioCollection.Name)]
public sealed class ScrapeTests(ScenarioMesh mesh)
{
    private static readonly string[] StableFamilies =
    [
        "istio_tcp_connections_opened", "istio_tcp_connections_closed", "istio_tcp_received_bytes", "istio_tcp_sent_bytes", "istio_build",
    ];

    [NamespaceFact]
    public async Task Scrape_NamesTheBuild_MarksWhatIsUnstable_AndHasTheDescriptorGauges()
    {
        await mesh.Client.RunAsync("ask", mesh.Server.Address, 8080, "hello");

        string[] lines = (await mesh.Node1.ScrapeAsync()).Split('\n');

        Assert.Single(lines, static line => line.StartsWith("istio_build{", StringComparison.Ordinal));
        foreach (string help in lines.Where(static line => line.StartsWith("# HELP istio_", StringComparison.Ordinal)))
        {
            // Text readers want counters named with their suffix.
            string family = help.Split(' ')[2].Replace("_total", "", StringComparison.Ordinal);
            Assert.True(StableFamilies.Contains(family) != help.Contains("unstable", StringComparison.OrdinalIgnoreCase), help);
        }

        foreach (string gauge in (string[])["process_open_fds", "process_max_fds"])
        {
            Assert.Single(lines, line => line == $"# TYPE {gauge} gauge");
            Assert.True(double.Parse(lines.Single(line => line.StartsWith(gauge + " ", StringComparison.Ordinal)).Split(' ')[1], CultureInfo.InvariantCulture) > 0);
        }
    }

    [NamespaceFact]
    public async Task Connection_Open_IsOpenedAndNotClosed_ThenBoth()
    {
        // Nobody else calls this pod at its own address.
        string[] labels = ["reporter=\"destination\"", "destination_workload=\"proxy-sandwich\"", "source_workload=\"client\"", "connection_security_policy=\"mutual_tls\""];
        double openedBefore = await mesh.Node2.ReadMetricAsync("istio_tcp_connections_opened_total", labels);
        double closedBefore = await mesh.Node2.ReadMetricAsync("istio_tcp_connections_closed_total", labels);
        using TestProcess live = mesh.Client.Start("reset", mesh.ProxySandwich.Address, 15088);
        await live.WaitForLineAsync(static line => line == "connected");
        while (await mesh.Node2.ReadMetricAsync("istio_tcp_connections_opened_total", labels) == openedBefore)
            Assert.False(live.HasExited);

        Assert.Equal(openedBefore + 1, await mesh.Node2.ReadMetricAsync("istio_tcp_connections_opened_total", labels));
        Assert.Equal(closedBefore, await mesh.Node2.ReadMetricAsync("istio_tcp_connections_closed_total", labels));

        live.SendLine("now");
        await mesh.Node2.WaitForLogAsync("connection complete", $"dst.hbone_addr={mesh.ProxySandwich.Address}:15088");
        Assert.Equal(closedBefore + 1, await mesh.Node2.ReadMetricAsync("istio_tcp_connections_closed_total", labels));
    }
}
