using System.Globalization;
using Ztunnel.Integration.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Integration.Tests;

/// <summary>Two of our proxies between two nodes, captured on the wire, decoded by tshark with the secrets that one of them wrote down (ZTUNNEL_KEY_LOG_FILE).</summary>
[Collection(InteropCollection.Name)]
public sealed class CaptureTests(InteropMesh mesh)
{
    private static readonly TimeSpan DecodingLimit = TimeSpan.FromSeconds(30);

    [NamespaceFact]
    public async Task Session_DecodedByTshark_IsWellFormedHbone()
    {
        string far = mesh.FarNode.Member.Address;
        string capture = Path.Combine(mesh.Folder, "session.pcapng");
        using (TestProcess tshark = mesh.Bridge.Start("tshark", "-i", "br0", "-f", "tcp port 15008", "-w", capture, "-P", "-l"))
        {
            await MarkAsync(tshark, mesh.Client.Address);
            // Several connections at once over one tunnel, large and small, one refused by policy and one by the application's port.
            await Task.WhenAll(Enumerable.Range(1, 4).Select(number => CallAsync(8080, number * 100_000)));
            await CallAsync(8080, 1);
            Assert.Equal("reset", await InteropMesh.CallAsync(mesh.Node, far, 8085, 5));
            Assert.Equal("reset", await InteropMesh.CallAsync(mesh.Node, far, 8099, 5));
            await MarkAsync(tshark, mesh.Echo.Address);
            tshark.Signal("INT");
            tshark.WaitForEnd(TestCommand.Limit);
        }

        // TLS 1.3 on both sides, ALPN h2 offered; no server name.
        Assert.Equal(["0x0304"], Fields(capture, "tls.handshake.type == 2", "tls.handshake.extensions.supported_version"));
        Assert.Equal(["h2"], Fields(capture, "tls.handshake.type == 1", "tls.handshake.extensions_alpn_str"));
        Assert.Equal(["h2"], Fields(capture, "tls.handshake.type == 8", "tls.handshake.extensions_alpn_str"));
        Assert.Empty(Fields(capture, "tls.handshake.extensions_server_name", "tls.handshake.extensions_server_name"));

        // What was asked and answered.
        Assert.Equal(["CONNECT"], Fields(capture, "http2.headers.method", "http2.headers.method"));
        Assert.Equal([$"{far}:8080", $"{far}:8085", $"{far}:8099"], Fields(capture, "http2.headers.authority", "http2.headers.authority"));
        Assert.Equal(["200", "401", "503"], Fields(capture, "http2.headers.status", "http2.headers.status"));
        Assert.Empty(Fields(capture, "http2.goaway.error > 0", "http2.goaway.error"));
        // Every byte of the applications, both ways, is in DATA frames that tshark understood.
        long carried = FieldLines(capture, "http2.type == 0", "http2.type", "http2.length").Sum(static line => DataBytes(line));
        Assert.Equal(2 * (1_000_000 + 1), carried);

        // Nothing malformed, nothing that tshark calls an error.
        Assert.Empty(FieldLines(capture, "_ws.malformed || _ws.expert.severity == \"Error\" || tls.alert_message.level == 2", "frame.number", "_ws.expert.message"));
    }

    [NamespaceFact]
    public void KeyLog_IsLoudWhereItIsOn_AndAbsentElsewhere()
    {
        Assert.Equal(1, mesh.FarNode.CountLog("\twarn\t", $"SECRETS OF ALL CONNECTIONS BETWEEN WORKLOADS ARE WRITTEN TO {mesh.KeyLogFile}"));
        Assert.Equal(0, mesh.Node.CountLog("SECRETS"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(mesh.KeyLogFile));
    }

    /// <summary>Packets that belong to nothing, until the capture has seen one: it runs, and has everything that came before.</summary>
    private async Task MarkAsync(TestProcess tshark, string address)
    {
        for (int tries = 0; ; tries++)
        {
            // Nobody listens there now: one SYN, one RST.
            mesh.Bridge.TryRun("curl", "--silent", "--max-time", "1", $"http://{address}:15008/");
            try
            {
                await tshark.WaitForLineAsync(line => line.Contains($"10.203.0.254 → {address}", StringComparison.Ordinal), TimeSpan.FromSeconds(1));
                return;
            }
            catch (TimeoutException) when (tries < 10)
            {
                // The capture had not begun.
            }
        }
    }

    private async Task CallAsync(int port, int bytes) => Assert.Equal("same", await InteropMesh.CallAsync(mesh.Node, mesh.FarNode.Member.Address, port, bytes));

    // A packet holds several frames: "0,4,0" and "8192,4,100" go pairwise, and type 0 is DATA.
    private static long DataBytes(string line)
    {
        string[] columns = line.Split('\t');
        return columns[0].Split(',').Zip(columns[1].Split(',')).Where(static pair => pair.First == "0").Sum(static pair => long.Parse(pair.Second, CultureInfo.InvariantCulture));
    }

    /// <summary>The different values of a field, in order.</summary>
    private string[] Fields(string capture, string filter, string field) =>
        [.. FieldLines(capture, filter, field).SelectMany(static line => line.Split(',')).Where(static value => value.Length > 0).Distinct().Order(StringComparer.Ordinal)];

    private string[] FieldLines(string capture, string filter, params string[] fields)
    {
        string[] columns = [.. fields.SelectMany(static field => (string[])["-e", field])];
        string[] arguments = ["-r", capture, "-o", $"tls.keylog_file:{mesh.KeyLogFile}", "-d", "tcp.port==15008,tls", "-Y", filter, "-T", "fields", .. columns];
        return InteropMesh.Lines(TestCommand.Run(DecodingLimit, "tshark", arguments).EnsureSucceeded().Output);
    }
}
