using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Failures;

/// <summary>
/// Whatever the other side does wrong: what the application sees, what log and metrics say, within which bound of time, and whether another endpoint is asked (data-path 2.5, 5.4, 8.5).
/// </summary>
[Collection(FailureCollection.Name)]
public sealed class FailureMatrixTests(FailureMesh mesh)
{
    // A busy machine may be late, a product that waits for the wrong limit is later.
    private const double Slack = 4.5;

    public static TheoryData<string> Names => [.. FailureCase.All.Select(static each => each.Name)];

    [NamespaceTheory]
    [MemberData(nameof(Names))]
    public void SingleEndpoint_Fails_AsExpected(string name) => AssertEnd(FailureCase.Named(name).Single, mesh.Single[name]);

    [NamespaceTheory]
    [MemberData(nameof(Names))]
    public void AlternativeEndpoint_IsAskedOnlyWhileNothingIsDelivered(string name)
    {
        ExpectedEnd expected = FailureCase.Named(name).Alternative;

        AssertEnd(expected, mesh.Alternative[name]);
        bool isServedElsewhere = expected.Seen == "answer hello" && expected.Attempts != FailureCase.Named(name).Single.Attempts;
        Assert.Equal(isServedElsewhere ? "serving" : mesh.Alternative[name]["dst.workload"], mesh.Alternative[name]["dst.workload"]);
    }

    [NamespaceFact]
    public void Metrics_CountEveryEndOnceUnderItsFlag()
    {
        foreach (FailureCase failure in FailureCase.All)
        {
            string[] single = ["reporter=\"source\"", $"destination_workload=\"{failure.Name}\"", "destination_service_name=\"unknown\"", $"response_flags=\"{failure.Single.Flag}\""];
            Assert.True(TestNode.SumOf(mesh.Metrics, "istio_tcp_connections_closed_total", single) == 1, $"{failure.Name}: {string.Join(' ', single)}");
            string[] alternative = ["reporter=\"source\"", $"destination_service=\"{FailureMeshFile.HostnameOf(failure)}\"", $"response_flags=\"{failure.Alternative.Flag}\""];
            Assert.True(TestNode.SumOf(mesh.Metrics, "istio_tcp_connections_closed_total", alternative) == 1, $"{failure.Name}: {string.Join(' ', alternative)}");
        }

        ExpectedEnd[] ends = [.. FailureCase.All.SelectMany(static each => (ExpectedEnd[])[each.Single, each.Alternative])];
        foreach (IGrouping<string, ExpectedEnd> group in ends.GroupBy(static end => end.Reason.Length > 0 ? end.Reason : "completed"))
            Assert.Equal((group.Key, group.Count()), (group.Key, (int)TestNode.SumOf(mesh.Metrics, "ztunnel_connections_ended_total", "reporter=\"source\"", $"reason=\"{group.Key}\"")));
        Assert.Equal(ends.Sum(static end => end.Attempts - 1), TestNode.SumOf(mesh.Metrics, "ztunnel_failover_attempts_total"));
    }

    /// <summary>What the proxy in front of a failing application says of it.</summary>
    [NamespaceTheory]
    [InlineData("app-refuses", "connect_failed", "connection failed: Connection refused")]
    [InlineData("app-resets", "destination_reset", "Connection reset by peer")]
    [InlineData("app-stalls", "connect_timed_out", "connection failed: ")]
    public async Task Application_Fails_ItsOwnProxyNamesIt(string name, string reason, string error)
    {
        string line = await mesh.Far.WaitForLogAsync("connection complete", "direction=\"inbound\"", $"dst.workload=\"{name}\"");

        Assert.Contains($"reason=\"{reason}\"", line, StringComparison.Ordinal);
        Assert.Contains("response_flags=\"CONNECT\"", line, StringComparison.Ordinal);
        Assert.Contains(error, line, StringComparison.Ordinal);
    }

    /// <summary>An application that gives up while nothing answers its connection is let go of at once, and so is the attempt.</summary>
    [NamespaceTheory]
    [InlineData("no-answer")]
    [InlineData("handshake-stalls")]
    [InlineData("syn-dropped")]
    public async Task Application_GivesUpMeanwhile_EndsTheAttempt(string name)
    {
        string address = FailureMeshFile.AddressOf(FailureCase.Named(name), isAlternative: false);
        using TestProcess client = mesh.Client.Start("reset", address, 7777);
        await client.WaitForLineAsync(static line => line == "connected");

        client.SendLine("now");

        string line = await mesh.Near.WaitForLogAsync("connection complete", $"dst.hbone_addr={address}:7777");
        Assert.Contains("reason=\"source_reset\"", line, StringComparison.Ordinal);
        Assert.InRange(new ObservedEnd("", line).Seconds, 0, 9);
    }

    /// <summary>An application that accepts and says nothing is no failure: its connection outlives every limit of setting one up, and ends when its client leaves.</summary>
    [NamespaceFact]
    public async Task Application_IsSilent_ConnectionStaysUntilItsClientLeaves()
    {
        TestPod application = mesh.Application("app-stalls");
        string mark = $"dst.hbone_addr={application.Address}:8086";
        Assert.DoesNotContain(mark, mesh.Near.Ztunnel.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("silent received", application.Server.Output, StringComparison.Ordinal);

        mesh.Idle.Dispose();

        await application.Server.WaitForLineAsync(static line => line == "silent received 0 bytes then eof");
        string outbound = await mesh.Near.WaitForLogAsync("connection complete", mark);
        Assert.DoesNotContain("reason=", outbound, StringComparison.Ordinal);
    }

    private static void AssertEnd(ExpectedEnd expected, ObservedEnd observed)
    {
        Assert.Equal(expected.Seen, observed.Seen);
        Assert.Equal(expected.Reason, observed["reason"]);
        Assert.Equal(expected.Flag == "-" ? "" : expected.Flag, observed["response_flags"]);
        Assert.Equal(expected.Attempts == 1 ? "" : $"{expected.Attempts}", observed["attempts"]);
        Assert.Contains(expected.Error, observed["error"], StringComparison.Ordinal);
        Assert.InRange(observed.Seconds, expected.AtLeast, expected.AtLeast + Slack);
    }
}

/// <summary>The tests that look at the one run of all cases.</summary>
[CollectionDefinition(Name)]
public sealed class FailureCollection : ICollectionFixture<FailureMesh>
{
    public const string Name = "failures";
}
