using System.Globalization;
using Ztunnel.Testing.Namespaces;

namespace Ztunnel.Namespace.Tests.Faults;

/// <summary>A memory controller of one test, of whichever hierarchy this machine has; its processes have ended when it is disposed.</summary>
internal sealed class TestCgroup : IDisposable
{
    private const string First = "/sys/fs/cgroup/memory";
    private const string Second = "/sys/fs/cgroup";

    private static readonly Lazy<string?> Missing = new(Probe);

    private readonly string _folder = Path.Combine(IsFirst ? First : Second, $"zt-faults-{Environment.ProcessId}");

    private TestCgroup()
    {
    }

    /// <summary>Null where one can be made; else why not.</summary>
    public static string? MissingReason => NamespaceSupport.MissingReason ?? Missing.Value;

    public long UsedBytes => long.Parse(File.ReadAllText(Path.Combine(_folder, IsFirst ? "memory.usage_in_bytes" : "memory.current")), CultureInfo.InvariantCulture);

    /// <summary>A command in front of another one that makes it a member.</summary>
    public string[] Enter => ["sh", "-c", $"echo $$ > {_folder}/cgroup.procs && exec \"$@\"", "sh"];

    private static bool IsFirst => Directory.Exists(First);

    public static TestCgroup Create()
    {
        var created = new TestCgroup();
        Directory.CreateDirectory(created._folder);
        return created;
    }

    public void Limit(long bytes) => File.WriteAllText(Path.Combine(_folder, IsFirst ? "memory.limit_in_bytes" : "memory.max"), bytes.ToString(CultureInfo.InvariantCulture));

    public void Dispose() => Directory.Delete(_folder);

    private static string? Probe()
    {
        if (!IsFirst && !(File.Exists($"{Second}/cgroup.subtree_control") && File.ReadAllText($"{Second}/cgroup.subtree_control").Contains("memory", StringComparison.Ordinal)))
            return "needs a memory controller (cgroup) that root may add groups to; there is none here";
        try
        {
            using TestCgroup probe = Create();
            probe.Limit(1L << 40);
            return null;
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            return $"needs a memory controller (cgroup) that root may add groups to: {refused.Message}";
        }
    }
}

/// <summary>A test that limits the memory of a process: skipped, with the reason, where no control group can be made.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class CgroupFactAttribute : FactAttribute
{
    public CgroupFactAttribute()
    {
        Skip = TestCgroup.MissingReason;
    }
}
