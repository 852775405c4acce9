using System.Globalization;
using System.Text.Json.Nodes;

namespace Ztunnel.Tests.Control;

/// <summary>
/// What a real istiod was recorded to send, played over the wire to the client as the daemon composes it: our requests and ACKs are the recorded ones, byte for byte after decoding, and our dump is the one the original
/// showed, field by field. What differs is said where it does, with the reason.
/// </summary>
public sealed class RecordedIstiodTests
{
    /// <summary>Here the original's dump was recorded; the one that <see cref="RecordedState"/> makes of the same messages equals it, too.</summary>
    [Theory]
    [InlineData("01-initial-wildcard", "")]
    [InlineData("30-multi-network-initial", "net-1")]
    public async Task FirstConnection_Played_RequestsAndDumpAreTheRecordedOnes(string folder, string network)
    {
        await using RecordedSession session = await RecordedSession.StartAsync(network);

        await session.PlayAsync(folder);
        await session.Rig.SyncedAsync();

        JsonObject recorded = await RecordedSession.ReadDumpAsync(folder);
        JsonObject ours = await session.DumpAsync();
        DumpComparison.AssertSameMesh(folder, recorded, ours);
        DumpComparison.AssertCertificatesAlike(recorded["certificates"]!.AsArray(), ours["certificates"]!.AsArray());
        DumpComparison.AssertSameMesh($"{folder}, as made of the messages", recorded, session.OriginalDump);
    }

    /// <summary>No dump of the original was recorded with these: ours is held against what the messages add up to.</summary>
    [Fact]
    public async Task Steps_PlayedOneAfterTheOther_RequestsAreTheRecordedOnesAndTheDumpFollows()
    {
        await using RecordedSession session = await RecordedSession.StartAsync();
        foreach (string folder in Directory.GetDirectories(RecordedSession.PathOf()).Select(static path => Path.GetFileName(path)!).Where(static name => int.Parse(name[..2], CultureInfo.InvariantCulture) <= 14).Order(StringComparer.Ordinal))
        {
            // Two of the steps begin with the connection being cut.
            if (folder.Contains("reconnect", StringComparison.Ordinal))
                await session.ReconnectAsync();

            await session.PlayAsync(folder);

            DumpComparison.AssertSameMesh(folder, session.OriginalDump, await session.DumpAsync());
        }

        Assert.Contains(session.Rig.Mesh.Current.Workloads, static workload => workload.Uid == "Kubernetes//Pod/shop/cart-4");
    }
}
