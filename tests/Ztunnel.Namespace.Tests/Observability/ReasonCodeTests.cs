using System.Globalization;
using System.Text.RegularExpressions;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Observability;

/// <summary>Reason codes provoked end to end, read back from the access log, from ztunnel_connections_ended_total and from the failures that the admin port remembers. Those that a misbehaving peer provokes are in Failures/FailureMatrixTests.</summary>
[Collection(RecordedCollection.Name)]
public sealed partial class ReasonCodeTests(RecordedNetwork network)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    // A PING every 10 s, given up after 20 s without an answer (reference, fact 14).
    private static readonly TimeSpan PingPatience = TimeSpan.FromSeconds(50);

    /// <summary>Where each code is provoked against the native binary, or why it is not.</summary>
    private static readonly Dictionary<string, string> ProvokedBy = new()
    {
        ["completed"] = nameof(RecordedScenarioTests),
        ["source_reset"] = nameof(Trouble_OfEveryKind_IsInLogAndMetric),
        ["destination_reset"] = "FailureMatrixTests",
        ["stream_reset"] = "FailureMatrixTests",
        ["tunnel_lost"] = "FailureMatrixTests",
        ["tunnel_timed_out"] = nameof(Trouble_OfEveryKind_IsInLogAndMetric),
        ["policy_denied"] = nameof(Trouble_OfEveryKind_IsInLogAndMetric),
        ["policy_changed"] = nameof(Trouble_OfEveryKind_IsInLogAndMetric),
        ["connect_failed"] = nameof(Trouble_OfEveryKind_IsInLogAndMetric),
        ["connect_timed_out"] = "FailureMatrixTests",
        ["tunnel_connect_timed_out"] = "FailureMatrixTests",
        ["tls_failed"] = nameof(Trouble_OfEveryKind_IsInLogAndMetric),
        ["set_up_timed_out"] = "FailureMatrixTests",
        ["identity_rejected"] = "FailureMatrixTests",
        ["http2_failed"] = "FailureMatrixTests",
        ["http_status"] = nameof(Trouble_OfEveryKind_IsInLogAndMetric),
        ["identity_unavailable"] = nameof(Start_WithoutAuthority_ConnectionsSayIdentityUnavailable),
        ["local_workload_unknown"] = nameof(Start_AsAPodOfAnotherNode_ConnectionsSayLocalWorkloadUnknown),
        ["no_route"] = nameof(Trouble_OfEveryKind_IsInLogAndMetric),
        ["recursive_call"] = nameof(Trouble_OfEveryKind_IsInLogAndMetric),
        ["drained"] = "DedicatedTests",
        ["idle_timed_out"] = nameof(Idle_PastTheLimit_SaysIdleTimedOut),
        ["certificate_revoked"] = "RevocationTests",
        ["bad_request"] = "FrameReplayTests",
        ["resource_exhausted"] = "DedicatedTests",
        ["memory_short"] = "ResourceFaultTests",
    };

    [Fact]
    public void EveryCode_OfTheReasonsPage_IsListed()
    {
        string page = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Observability", "deploy", "reasons.md"));

        Assert.Equal(CodeRow().Matches(page).Select(static match => match.Groups[1].Value).Order(StringComparer.Ordinal), ProvokedBy.Keys.Order(StringComparer.Ordinal));
    }

    [NamespaceFact]
    public async Task Trouble_OfEveryKind_IsInLogAndMetric()
    {
        string folder = Directory.CreateTempSubdirectory("zt-reasons-").FullName;
        string meshFile = Path.Combine(folder, "mesh.yaml");
        string mesh = await File.ReadAllTextAsync(RecordedNetwork.Recording("mesh.yaml"));
        await File.WriteAllTextAsync(meshFile, mesh);
        await network.StartProxiesAsync(json: false, ("LOCAL_XDS_PATH", meshFile));
        try
        {
            // The tunnel of IPv6 falls silent in both directions, all other connections are IPv4.
            using TestProcess silent = await OpenAsync("fd88::2", "8080");
            foreach (string pod in (string[])["a", "b"])
                network.Pod(pod).Run("ip6tables", "-I", "INPUT", "-i", "eth0", "-j", "DROP");
            using TestProcess watched = await OpenAsync("10.88.0.2", "8080");
            using (TestProcess leaver = await OpenAsync("10.88.0.2", "8083"))
            {
                leaver.SendLine("reset");
                await ExpectAsync("a", "source", "source_reset", "dst.hbone_addr=10.88.0.2:8083");
                await ExpectAsync("b", "destination", "stream_reset", "dst.hbone_addr=10.88.0.2:8083");
            }

            await network.RunClientAsync("a", ["10.88.0.2", "8081", "x"]);
            await ExpectAsync("a", "source", "http_status", "dst.hbone_addr=10.88.0.2:8081");
            await ExpectAsync("b", "destination", "policy_denied", "dst.hbone_addr=10.88.0.2:8081");
            await network.RunClientAsync("a", ["10.88.0.9", "9001", "x"]);
            await ExpectAsync("a", "source", "connect_failed", "dst.addr=10.88.0.9:9001");
            await network.RunClientAsync("a", ["10.99.0.11", "80", "x"]);
            await ExpectAsync("a", "source", "no_route", "dst.addr=10.99.0.11:80");
            await network.RunClientAsync("a", ["127.0.0.1", "15001", "x"]);
            await ExpectAsync("a", "source", "recursive_call", "dst.addr=127.0.0.1:15001");
            await network.RunClientAsync("x", ["10.88.0.2", "15008", "GET/1.1"]);
            await ExpectAsync("b", "destination", "tls_failed", "src.addr=10.88.0.9:");

            await File.WriteAllTextAsync(meshFile + ".new", mesh.Replace("destinationPorts: [8081]", "destinationPorts: [8080, 8081]", StringComparison.Ordinal));
            File.Move(meshFile + ".new", meshFile, overwrite: true);
            await ExpectAsync("b", "destination", "policy_changed", "dst.hbone_addr=10.88.0.2:8080");
            await watched.WaitForLineAsync(static line => line == "ConnectionResetError");

            await ExpectAsync("a", "source", "tunnel_timed_out", "dst.hbone_addr=[fd88::2]:8080");
            await silent.WaitForLineAsync(static line => line == "ConnectionResetError");
        }
        finally
        {
            foreach (string pod in (string[])["a", "b"])
                network.Pod(pod).TryRun("ip6tables", "-D", "INPUT", "-i", "eth0", "-j", "DROP");
            Directory.Delete(folder, recursive: true);
        }
    }

    [NamespaceFact]
    public async Task Start_AsAPodOfAnotherNode_ConnectionsSayLocalWorkloadUnknown()
    {
        await network.StartProxiesAsync(json: false, ("NODE_NAME", "node-elsewhere"));

        await network.RunClientAsync("a", ["10.88.0.2", "8080", "x"]);

        await ExpectAsync("a", "source", "local_workload_unknown", "dst.addr=10.88.0.2:8080");
    }

    [NamespaceFact]
    public async Task Start_WithoutAuthority_ConnectionsSayIdentityUnavailable()
    {
        await network.StartProxiesAsync(json: false, ("FAKE_CA", "false"), ("CA_ADDRESS", "https://127.0.0.1:1"), ("CA_ROOT_CA", "/etc/ssl/certs/ca-certificates.crt"));

        await network.RunClientAsync("a", ["10.88.0.2", "8080", "x"]);

        await ExpectAsync("a", "source", "identity_unavailable", "dst.hbone_addr=10.88.0.2:8080");
    }

    [NamespaceFact]
    public async Task Idle_PastTheLimit_SaysIdleTimedOut()
    {
        await network.StartProxiesAsync(json: false, ("ZTUNNEL_IDLE_TIMEOUT", "1s"));
        using TestProcess idle = await OpenAsync("10.88.0.2", "8080");

        await ExpectAsync("a", "source", "idle_timed_out", "dst.hbone_addr=10.88.0.2:8080");
    }

    private async Task<TestProcess> OpenAsync(string host, string port)
    {
        TestProcess started = network.Start("a", "hold", host, port);
        await started.WaitForLineAsync(static line => line == "open");
        return started;
    }

    private async Task ExpectAsync(string pod, string reporter, string reason, string mark)
    {
        await network.Proxy(pod).WaitForLineAsync(
            line => LogFields.IsAccess(line) && line.Contains($"reason=\"{reason}\"", StringComparison.Ordinal) && line.Contains(mark, StringComparison.Ordinal), reason == "tunnel_timed_out" ? PingPatience : Patience);
        string scrape = await network.GetAsync(pod, "http://127.0.0.1:15020/metrics");
        string sample = Assert.Single(scrape.Split('\n'), line => line.StartsWith($"ztunnel_connections_ended_total{{reporter=\"{reporter}\",reason=\"{reason}\",", StringComparison.Ordinal));
        Assert.True(double.Parse(sample[(sample.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture) >= 1, sample);
        // The admin port remembers failures; that an idle connection was ended is none.
        if (reason != "idle_timed_out")
            Assert.Contains($"\"reason\":\"{reason}\"", await network.GetAsync(pod, "http://127.0.0.1:15000/debug/state"), StringComparison.Ordinal);
    }

    [GeneratedRegex("^\\| `([a-z0-9_]+)` \\|", RegexOptions.Multiline)]
    private static partial Regex CodeRow();
}
