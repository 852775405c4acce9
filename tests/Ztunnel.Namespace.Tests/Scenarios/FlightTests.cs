using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Scenarios;

/// <summary>What leaves together: each TLS record is sealed once and sent in one piece, so what a foreign peer finds in one record came in one flight (reference, facts 1 and 2).</summary>
[Collection(ScenarioCollection.Name)]
public sealed class FlightTests(ScenarioMesh mesh)
{
    /// <summary>The CONNECT comes with the preface; what the application has said by the time of the 200 comes in one piece behind it.</summary>
    [NamespaceFact]
    public async Task NewTunnel_ConnectLeavesWithThePreface_EarlyBytesLeaveTogether()
    {
        string mark = $"record {ScenarioMesh.FlightsAddress} ";
        using TestProcess client = mesh.Client.Start("early", ScenarioMesh.FlightsAddress, 8080);
        await client.WaitForLineAsync(static line => line == "sent");

        // The peer's settings may have come with its end of the handshake; then their acknowledgement is in the flight too.
        Assert.StartsWith($"{mark}PRI SETTINGS WINDOW_UPDATE HEADERS", await mesh.Peer.WaitForLineAsync(line => line.StartsWith(mark, StringComparison.Ordinal)), StringComparison.Ordinal);
        mesh.Peer.SendLine("answer");

        Assert.Equal("answer onetwothree", await client.WaitForLineAsync(static line => line.StartsWith("answer", StringComparison.Ordinal)));
        string data = await mesh.Peer.WaitForLineAsync(line => line.StartsWith(mark, StringComparison.Ordinal) && line.Contains("DATA", StringComparison.Ordinal));
        Assert.EndsWith("DATA:onetwothree", data, StringComparison.Ordinal);
    }
}
