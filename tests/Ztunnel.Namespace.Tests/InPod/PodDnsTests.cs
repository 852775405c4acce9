using Ztunnel.InPod.Tests.Zds;
using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.InPod;

/// <summary>DNS of pods that one node serves: each in its own namespace, all other names from the node's resolver, asked from the pod's namespace and marked.</summary>
public sealed class PodDnsTests
{
    private const string Success = "0a00";

    [NamespaceFact]
    public async Task Pods_AskMeshAndForeignNames_AndTheirLinesNameThem()
    {
        await using InPodMesh mesh = await InPodMesh.CreateAsync();
        string resolverFolder = $"/etc/netns/{mesh.Node.Namespace.Name}";
        Directory.CreateDirectory(resolverFolder);
        try
        {
            await File.WriteAllTextAsync(Path.Combine(resolverFolder, "resolv.conf"), $"nameserver {mesh.Outsider.Address}\n");
            using TestProcess resolver = mesh.Outsider.Namespace.Start("/usr/sbin/dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", "--log-facility=-", "--address=/up.test/192.0.2.77");
            foreach (TestPod pod in (TestPod[])[mesh.Client, mesh.Server])
                TestCommand.Run(TimeSpan.FromSeconds(20), TestNode.Binary, "redirect", "install", "--netns", pod.Namespace.Path, "--dns-capture", "true").EnsureSucceeded();
            await using ScriptedAgent agent = ScriptedAgent.Open(mesh.Socket);
            mesh.Node.Start(mesh.Socket, ("ISTIO_META_DNS_CAPTURE", "true"));
            await agent.AcceptAsync();
            Assert.Equal(Success, await agent.AskAsync(ScriptedAgent.AddOf("uid-c", "client"), mesh.Client.Namespace.Path));
            Assert.Equal(Success, await agent.AskAsync(ScriptedAgent.AddOf("uid-s", "server"), mesh.Server.Namespace.Path));
            Assert.Equal(Success, await agent.CompleteSnapshotAsync());
            await mesh.Node.WaitForLogAsync("marking server ready");

            foreach (TestPod pod in (TestPod[])[mesh.Client, mesh.Server])
            {
                Assert.Equal(MeshFile.Vip, await AskAsync(pod, MeshFile.Hostname));
                Assert.Equal("192.0.2.77", await AskAsync(pod, "a.up.test"));
                Assert.Equal("192.0.2.77", await AskAsync(pod, "a.up.test", "+tcp"));
            }

            Assert.Equal(Success, await agent.AskAsync(ScriptedAgent.DeleteOf("uid-s")));
            await mesh.Node.WaitForLogAsync("\tinfo\tdns::server:dns_proxy{wl=default/server}\tdns server drained");
            Assert.Equal(MeshFile.Vip, await AskAsync(mesh.Client, MeshFile.Hostname));
        }
        finally
        {
            Directory.Delete(resolverFolder, recursive: true);
        }
    }

    // Nobody is at this address: whoever answers has captured the query.
    private static async Task<string> AskAsync(TestPod pod, string name, params string[] how) =>
        (await Task.Run(() => pod.Namespace.TryRun("dig", ["@10.213.9.9", "+short", "+tries=2", "+timeout=4", name, .. how]).Output)).Trim();
}
