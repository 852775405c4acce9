using Ztunnel.Testing.Processes;

namespace Ztunnel.Testing.Namespaces;

/// <summary>Can this machine make network namespaces? Asked once, by making one.</summary>
public static class NamespaceSupport
{
    private static readonly Lazy<string?> Missing = new(Probe);

    /// <summary>Null where namespaces work; else why they do not.</summary>
    public static string? MissingReason => Missing.Value;

    private static string? Probe()
    {
        if (!Environment.IsPrivilegedProcess)
        {
            return "needs root to make network namespaces";
        }

        string name = $"zt-probe-{Environment.ProcessId}";
        CommandResult added = TestCommand.Run("ip", "netns", "add", name);
        if (!added.Succeeded)
        {
            return $"cannot make network namespaces here: {added.Error.Trim()}";
        }

        TestCommand.Run("ip", "netns", "delete", name).EnsureSucceeded();
        return null;
    }
}
