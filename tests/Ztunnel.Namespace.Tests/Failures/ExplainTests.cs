using System.Text.Json;
using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Failures;

/// <summary>`ztunnel explain` on the node of a client whose connections have failed: the route it would take again, and what became of it last time, in the words of the log.</summary>
[Collection(FailureCollection.Name)]
public sealed class ExplainTests(FailureMesh mesh)
{
    public static TheoryData<string> Failed => [.. FailureCase.All.Where(static each => each.Single.Reason.Length > 0).Select(static each => each.Name)];

    [NamespaceTheory]
    [MemberData(nameof(Failed))]
    public async Task Explain_AfterAFailure_RemembersItWithReasonAndAdvice(string name)
    {
        FailureCase failure = FailureCase.Named(name);

        JsonElement report = await ExplainAsync($"{FailureMeshFile.AddressOf(failure, isAlternative: false)}:{failure.ApplicationPort}");

        JsonElement remembered = report.GetProperty("failures").EnumerateArray().First(static each => !each.TryGetProperty("service", out _));
        Assert.Equal(failure.Single.Reason, remembered.GetProperty("reason").GetString());
        Assert.Equal(mesh.Single[name]["error"], remembered.GetProperty("error").GetString());
        Assert.NotEqual("", remembered.GetProperty("check").GetString());
        // What breaks with or on a tunnel comes with what the kernel knew of the way.
        Assert.Equal(failure.Single.Reason is "tunnel_lost" or "stream_reset", remembered.TryGetProperty("tcp", out _));
        Assert.Equal("HBONE", report.GetProperty("route").GetProperty("kind").GetString());
        Assert.Equal($"test//Pod/default/{name}", report.GetProperty("hops")[0].GetProperty("workload").GetString());
    }

    [NamespaceFact]
    public async Task Explain_Service_RanksTheEndpointsAndKnowsTheCertificate()
    {
        FailureCase failure = FailureCase.Named("status-503");

        JsonElement report = await ExplainAsync($"{FailureMeshFile.HostnameOf(failure)}:80");

        Assert.Equal(
            [("test//Pod/default/status-503-preferred", 0), ("test//Pod/default/serving", 1)],
            report.GetProperty("endpoints").EnumerateArray().Select(static endpoint => (endpoint.GetProperty("workload").GetString()!, endpoint.GetProperty("rank").GetInt32())));
        Assert.Equal("Available", report.GetProperty("certificate").GetProperty("state").GetString());
        Assert.True(report.GetProperty("verdict").GetProperty("delivered").GetBoolean());
    }

    private async Task<JsonElement> ExplainAsync(string destination)
    {
        CommandResult result = await Task.Run(() => TestCommand.Run(
            TimeSpan.FromSeconds(20), "nsenter", $"--net={mesh.Near.Namespace.Path}", TestNode.Binary, "explain", "--source", "default/client", "--destination", destination, "--json"));
        result.EnsureSucceeded();
        return JsonDocument.Parse(result.Output).RootElement;
    }
}
