using Ztunnel.Linux;
using Ztunnel.Linux.Namespaces;
using Ztunnel.Linux.Process;

namespace Ztunnel.Serving;

/// <summary>Without these permissions no pod can ever be served, so shared mode does not start without them, and says what to write into the manifest.</summary>
internal static class SharedPermissions
{
    /// <summary>Enters a namespace and marks a socket, as every pod's listener will need it; also opens our own namespace, which every entry returns to.</summary>
    /// <exception cref="StartException">Something is missing.</exception>
    public static void Require(uint? mark)
    {
        try
        {
            NamespacePermissions.Require(mark);
        }
        catch (LinuxException refused)
        {
            IReadOnlyList<string> missing = ProcessCapabilities.FindMissing(File.ReadAllText("/proc/self/status"));
            string cause = missing.Count > 0
                ? $"missing capabilities: {string.Join(", ", missing)}"
                : "all capabilities are there, so a seccomp or security module profile forbids it";
            throw new StartException(
                $"PROXY_MODE=shared: {refused.Message}; {cause}. In the DaemonSet's container: securityContext: {{capabilities: {{drop: [ALL], add: [NET_ADMIN, SYS_ADMIN, NET_RAW]}}}}", refused);
        }
    }
}
