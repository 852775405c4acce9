using System.Net;
using System.Text.Json.Nodes;
using Ztunnel.Istiod.Mesh;
using Ztunnel.Mesh.Model;
using Ztunnel.Protos.Citadel;
using Ztunnel.Protos.Discovery;
using Ztunnel.Proxy.Connections;
using WireAddress = Ztunnel.Protos.Workloads.Address;

namespace Ztunnel.Tests.Control;

/// <summary>
/// Exchanges with a real istiod in on-demand mode, played to the client as the daemon composes it; names are looked up as the data path does before it decides. Differences from the original, all meant:
/// <list type="bullet">
/// <item>A service's waypoint is looked up, too, if it is named by host (control-path 5.7: the original does not). So there is one more question in step 21, which the original did not ask, and its names
/// are told at the reconnect. What istiod would answer is made of what it said of the waypoint in step 01.</item>
/// <item>An address that is nobody's is asked for once. The original asks again and waits for ever (W-39).</item>
/// <item>A look-up is over with an answer under an alias; in the original it hangs (W-8), which no message shows.</item>
/// </list>
/// </summary>
public sealed class RecordedOnDemandTests
{
    private const string Waypoint = "shop/shop-waypoint.shop.svc.cluster.local";

    [Fact]
    public async Task Steps_LookedUpAsTheDataPathDoes_RequestsAreTheRecordedOnesAndTheDumpFollows()
    {
        await using RecordedSession session = await RecordedSession.StartAsync(onDemand: true);

        await session.PlayAsync("20-on-demand-initial");
        await session.Rig.SyncedAsync();
        JsonObject ours = await session.DumpAsync();
        DumpComparison.AssertSameMesh("20", session.OriginalDump, ours);
        Assert.Equal(await RecordedIdentitiesAsync("20-on-demand-initial"), ours["certificates"]!.AsArray().Select(static item => (string)item!["identity"]!));

        Task<ConnectionOutcome> byVip = LookUpAsync(session, "10.96.0.30:80");
        await session.PlayAsync("21-on-demand-service-by-vip");
        DeltaDiscoveryResponse waypoint = await WaypointOfStepOneAsync();
        await session.ExpectAsync("21, the waypoint", new DeltaDiscoveryRequest { TypeUrl = MeshResources.AddressUrl, ResourceNamesSubscribe = { Waypoint } });
        await session.SendAsync(waypoint);
        await session.ExpectAsync("21, the waypoint's ACK", new DeltaDiscoveryRequest { TypeUrl = MeshResources.AddressUrl, ResponseNonce = waypoint.Nonce });
        await AssertReadyAsync("21", byVip, session);

        Task<ConnectionOutcome> byAddress = LookUpAsync(session, "10.10.2.12:7000");
        await session.PlayAsync("22-on-demand-pod-by-ip");
        await AssertReadyAsync("22", byAddress, session);

        Task<ConnectionOutcome> nobody = LookUpAsync(session, "10.99.9.9:80");
        await session.PlayAsync("23-on-demand-unknown-address", static (name, _) => name != "004-xds-request-address");
        await AssertReadyAsync("23", nobody, session);

        // That nothing of this is asked for again shows in the next request being the recorded one.
        foreach (string known in (string[])["10.96.0.30:80", "10.10.2.12:7000", "10.99.9.9:80", "10.10.2.11:8080"])
            Assert.Equal(EndReason.None, (await LookUpAsync(session, known)).Reason);
        await session.PlayAsync("24-on-demand-pushed-unasked");
        DumpComparison.AssertSameMesh("24", session.OriginalDump, await session.DumpAsync());

        await session.ReconnectAsync();
        await session.PlayAsync("25-on-demand-reconnect", (name, expected) =>
        {
            if (name == "002-xds-request-address-initial")
            {
                foreach (Resource resource in waypoint.Resources)
                    expected.InitialResourceVersions[resource.Name] = resource.Version;
            }

            return true;
        });
        await AssertReadyAsync("25", LookUpAsync(session, "10.99.9.9:80"), session);
    }

    private static Task<ConnectionOutcome> LookUpAsync(RecordedSession session, string target)
    {
        Workload front = session.Rig.Mesh.Current.FindWorkloadByUid("Kubernetes//Pod/shop/front-1")!;
        return session.OnDemand.PrepareOutboundAsync(front, IPEndPoint.Parse(target)).AsTask().WaitAsync(TimeSpan.FromSeconds(10));
    }

    private static async Task AssertReadyAsync(string step, Task<ConnectionOutcome> lookedUp, RecordedSession session)
    {
        Assert.Equal(EndReason.None, (await lookedUp).Reason);
        DumpComparison.AssertSameMesh(step, session.OriginalDump, await session.DumpAsync());
    }

    // A service asked for comes with its endpoints.
    private static async Task<DeltaDiscoveryResponse> WaypointOfStepOneAsync()
    {
        string path = RecordedSession.Messages("01-initial-wildcard", "xds-response-address").Single();
        DeltaDiscoveryResponse everything = DeltaDiscoveryResponse.Parser.ParseFrom(await File.ReadAllBytesAsync(path));
        DeltaDiscoveryResponse answer = new() { TypeUrl = MeshResources.AddressUrl, Nonce = "waypoint" };
        answer.Resources.AddRange(everything.Resources.Where(static resource =>
            resource.Name == Waypoint || WireAddress.Parser.ParseFrom(resource.Resource_.Value).Workload?.Services.ContainsKey(Waypoint) == true));
        Assert.Equal(2, answer.Resources.Count);
        return answer;
    }

    /// <summary>For whom the original asked the authority, in the order of the dump.</summary>
    private static async Task<IEnumerable<string>> RecordedIdentitiesAsync(string folder)
    {
        List<string> identities = [];
        foreach (string path in RecordedSession.Messages(folder, "ca-request"))
            identities.Add(IstioCertificateRequest.Parser.ParseFrom(await File.ReadAllBytesAsync(path)).Metadata.Fields["ImpersonatedIdentity"].StringValue);
        return identities.Order(StringComparer.Ordinal);
    }
}
