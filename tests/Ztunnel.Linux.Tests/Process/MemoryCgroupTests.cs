using Ztunnel.Linux.Process;

namespace Ztunnel.Linux.Tests.Process;

/// <summary>Which group's limit counts, in both hierarchies, as the host and as a container sees them.</summary>
public sealed class MemoryCgroupTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("zt-cgroup-").FullName;

    private string Mount => Path.Combine(_root, "mount");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Read_Version2_IsCurrentAgainstMaxWithoutInactiveCache()
    {
        Describe("0::/pod/container", "cgroup2", "rw,nsdelegate");
        Write("pod/container", ("memory.max", "1000"), ("memory.high", "max"), ("memory.current", "900"), ("memory.stat", "anon 500\ninactive_file 150\nactive_file 10"));
        Write("pod", ("memory.max", "max"), ("memory.current", "5000"));

        Assert.Equal(new MemoryUse(750, 1000), Find().Read());
    }

    [Fact]
    public void Read_Version2_HighIsALimitToo()
    {
        Describe("0::/", "cgroup2", "rw");
        Write("", ("memory.max", "1000"), ("memory.high", "800"), ("memory.current", "700"));

        Assert.Equal(new MemoryUse(700, 800), Find().Read());
    }

    [Fact]
    public void Read_ParentIsNearerToItsLimit_CountsThatOfTheParent()
    {
        Describe("0::/pod/container", "cgroup2", "rw");
        Write("pod/container", ("memory.max", "1000"), ("memory.current", "100"));
        Write("pod", ("memory.max", "2000"), ("memory.current", "1900"));

        Assert.Equal(new MemoryUse(1900, 2000), Find().Read());
    }

    [Fact]
    public void Read_Version1_IsUsageAgainstLimit()
    {
        Describe("9:name=systemd:/\n4:cpu,memory:/pod\n0::/", "cgroup", "rw,memory");
        Write("pod", ("memory.limit_in_bytes", "1000"), ("memory.usage_in_bytes", "900"), ("memory.stat", "inactive_file 1\ntotal_inactive_file 200"));
        Write("", ("memory.limit_in_bytes", "9223372036854771712"), ("memory.usage_in_bytes", "70000"));

        Assert.Equal(new MemoryUse(700, 1000), Find().Read());
    }

    [Fact]
    public void Read_MountShowsTheContainerAsItsRoot_IsFound()
    {
        // The host's name of the group is the mount's root, and not a path below the mount.
        Describe("4:memory:/kubepods/pod1/c1", "cgroup", "rw,memory", mountRoot: "/kubepods/pod1/c1");
        Write("", ("memory.limit_in_bytes", "1000"), ("memory.usage_in_bytes", "400"));

        Assert.Equal(new MemoryUse(400, 1000), Find().Read());
    }

    [Fact]
    public void Read_LimitChanges_IsSeen()
    {
        Describe("0::/", "cgroup2", "rw");
        Write("", ("memory.max", "max"), ("memory.current", "400"));
        MemoryCgroup group = Find();
        Assert.Null(group.Read());

        Write("", ("memory.max", "1000"));

        Assert.Equal(new MemoryUse(400, 1000), group.Read());
    }

    [Fact]
    public void Find_NoMemoryController_IsNull()
    {
        Describe("0::/", "cgroup2", "rw");
        Directory.CreateDirectory(Mount);

        Assert.Null(MemoryCgroup.Find(_root));
    }

    [Fact]
    public void Find_OnThisMachine_ReadsOrFindsNothing()
    {
        if (MemoryCgroup.Find()?.Read() is { } use)
            Assert.InRange(use.UsedBytes, 0, use.LimitBytes * 2);
    }

    private MemoryCgroup Find()
    {
        var found = MemoryCgroup.Find(_root);
        Assert.NotNull(found);
        return found;
    }

    private void Describe(string memberships, string type, string options, string mountRoot = "/")
    {
        File.WriteAllText(Path.Combine(_root, "cgroup"), memberships + "\n");
        File.WriteAllText(Path.Combine(_root, "mountinfo"), $"22 21 0:20 / /proc rw shared:5 - proc proc rw\n36 35 0:31 {mountRoot} {Mount} rw,relatime shared:9 - {type} {type} {options}\n");
    }

    private void Write(string group, params (string Name, string Text)[] files)
    {
        string folder = Directory.CreateDirectory(Path.Combine(Mount, group)).FullName;
        foreach ((string name, string text) in files)
            File.WriteAllText(Path.Combine(folder, name), text + "\n");
    }
}
