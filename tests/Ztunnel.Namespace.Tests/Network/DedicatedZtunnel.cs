using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Network;

/// <summary>The native binary in dedicated mode beside a pod's application, with the mesh and the embedded authority's root of a folder.</summary>
internal static class DedicatedZtunnel
{
    /// <param name="pod">Whose ztunnel it is.</param>
    /// <param name="folder">Has mesh.yaml, and gets root.pem.</param>
    /// <param name="through">A command that runs it.</param>
    /// <param name="more">Variables beside the usual ones.</param>
    public static TestProcess Start(TestPod pod, string folder, string[] through, params (string Name, string Value)[] more)
    {
        Dictionary<string, string> environment = FileMeshVariables.With(
            Path.Combine(folder, "mesh.yaml"), folder,
            [
                ("PROXY_MODE", "dedicated"),
                ("PROXY_WORKLOAD_INFO", $"default/{pod.Name}/{pod.Name}"),
                ("PACKET_MARK", "1337"),
                // Proxy and application share a namespace: the client's address is the application's own.
                ("ENABLE_ORIG_SRC", "false"),
                ("NODE_NAME", "node-1"),
            ],
            more);
        return TestProcess.Start("nsenter", environment, [$"--net={pod.Namespace.Path}", .. through, TestNode.Binary, "proxy", "ztunnel"]);
    }
}
