using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Win32.SafeHandles;

namespace Ztunnel.Linux.Process;

/// <summary>What a memory controller says: how much may be used, and how much is, the page cache of files that were not used lately left out, since the kernel takes that back first.</summary>
public readonly record struct MemoryUse(long UsedBytes, long LimitBytes)
{
    public double Share => (double)UsedBytes / LimitBytes;

    /// <summary>Of two limits the one that is reached first; null says that there is none.</summary>
    public static MemoryUse? Nearer(MemoryUse? first, MemoryUse? second) => first is not { } one || second?.Share > one.Share ? second : first;
}

/// <summary>
/// The memory controller this process is under: of both hierarchies (cgroups(7)), the group nearest to its limit, from its own up to the top of what it can see. Behind that limit the kernel kills.
/// <code>
/// version 2   memory.max    memory.high            memory.current         memory.stat: inactive_file
/// version 1   memory.limit_in_bytes                memory.usage_in_bytes  memory.stat: total_inactive_file
/// </code>
/// </summary>
public sealed partial class MemoryCgroup
{
    // "No limit" of version 1 is the largest number of pages, of version 2 the word max: nobody has an exbibyte.
    private const long Unlimited = 1L << 60;

    private readonly Level[] _levels;

    private MemoryCgroup(Level[] levels)
    {
        _levels = levels;
    }

    /// <summary>The groups of this process; null where no memory controller is mounted.</summary>
    /// <param name="proc">/proc/self, or its like in a test.</param>
    public static MemoryCgroup? Find(string proc = "/proc/self")
    {
        // 4:memory:/pod/container     version 1
        // 0::/pod/container           version 2
        string[] memberships = ReadLines(Path.Combine(proc, "cgroup"));
        foreach (string mount in ReadLines(Path.Combine(proc, "mountinfo")))
        {
            Match match = MountLine().Match(mount);
            bool isFirst = match.Groups["type"].Value == "cgroup" && match.Groups["options"].Value.Split(',').Contains("memory");
            if (!match.Success || !(isFirst || match.Groups["type"].Value == "cgroup2"))
                continue;
            string? membership = memberships.Select(static line => line.Split(':', 3)).FirstOrDefault(fields => fields.Length == 3 && (isFirst ? fields[1].Split(',').Contains("memory") : fields[0] == "0"))?[2];
            if (membership is null)
                continue;
            Level[] levels = [.. Ancestors(match.Groups["point"].Value, match.Groups["root"].Value, membership).Select(folder => new Level(folder, isFirst)).Where(static level => level.Exists)];
            if (levels.Length > 0)
                return new MemoryCgroup(levels);
        }

        return null;
    }

    /// <summary>The group that is nearest to its limit; null while none has one. Limits may change at any time.</summary>
    public MemoryUse? Read()
    {
        MemoryUse? nearest = null;
        foreach (Level level in _levels)
        {
            nearest = MemoryUse.Nearer(nearest, level.Read());
        }

        return nearest;
    }

    /// <summary>From the group itself upwards. In a container the mount shows its own group as the top, whatever name the host has for it.</summary>
    private static IEnumerable<string> Ancestors(string mountPoint, string mountRoot, string membership)
    {
        string inside = mountRoot != "/" && membership.StartsWith(mountRoot, StringComparison.Ordinal) ? membership[mountRoot.Length..] : membership;
        for (string path = inside.Trim('/'); path.Length > 0; path = Path.GetDirectoryName(path) ?? "")
            yield return Path.Combine(mountPoint, path);
        yield return mountPoint;
    }

    private static string[] ReadLines(string path) => File.Exists(path) ? File.ReadAllLines(path) : [];

    // 36 35 0:31 /root /mount/point rw,relatime shared:1 - cgroup cgroup rw,memory
    [GeneratedRegex(@"^\S+ \S+ \S+ (?<root>\S+) (?<point>\S+) .*? - (?<type>\S+) \S+ (?<options>\S+)$")]
    private static partial Regex MountLine();

    private sealed class Level(string folder, bool isFirstVersion)
    {
        private readonly string _usage = Path.Combine(folder, isFirstVersion ? "memory.usage_in_bytes" : "memory.current");
        private readonly string[] _limits = [.. (isFirstVersion ? (string[])["memory.limit_in_bytes"] : ["memory.max", "memory.high"]).Select(name => Path.Combine(folder, name))];
        private readonly string _statistics = Path.Combine(folder, "memory.stat");
        private readonly string _inactiveField = isFirstVersion ? "total_inactive_file " : "inactive_file ";

        public bool Exists => File.Exists(_usage);

        public MemoryUse? Read()
        {
            // A limit of zero is one that cannot be kept.
            long limit = Math.Max(_limits.Min(static path => ReadNumber(path)), 1);
            if (limit >= Unlimited)
                return null;
            // The kernel adds the statistics up anew for each reader: only where they can matter.
            long used = ReadNumber(_usage);
            return new MemoryUse(used < limit / 2 ? used : Math.Max(0, used - ReadInactive()), limit);
        }

        // Read every second for as long as the process lives: without a reader and its buffers.
        private static long ReadNumber(string path)
        {
            if (!File.Exists(path))
                return Unlimited;
            using SafeFileHandle file = File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
            Span<byte> text = stackalloc byte[32];
            int length = RandomAccess.Read(file, text, 0);
            return long.TryParse(text[..length].TrimEnd((byte)'\n'), NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : Unlimited;
        }

        private long ReadInactive()
        {
            string? line = ReadLines(_statistics).FirstOrDefault(line => line.StartsWith(_inactiveField, StringComparison.Ordinal));
            return line is not null && long.TryParse(line.AsSpan(_inactiveField.Length), NumberStyles.None, CultureInfo.InvariantCulture, out long bytes) ? bytes : 0;
        }
    }
}
