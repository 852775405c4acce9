using Ztunnel.Linux.Process;

namespace Ztunnel.Linux.Tests.Process;

public sealed class ProgramPagesTests
{
    [Fact]
    public void Read_Smaps_GivesMappings()
    {
        ProgramPages.Mapping[] mappings =
        [
            .. ProgramPages.Read(
            [
                "55d0c8a00000-55d0c9250000 r-xp 0011b000 fe:01 1234                       /usr/local/bin/with space",
                "Size:               8512 kB", "Rss:                8516 kB", "Anonymous:             4 kB", "VmFlags: rd ex mr mw me",
                "7ffe0000-7fff0000 rw-p 00000000 00:00 0 ", "Rss:                  16 kB", "Anonymous:            16 kB",
            ]),
        ];

        Assert.Equal(
            [
                new ProgramPages.Mapping(unchecked((nint)0x55d0c8a00000), unchecked((nint)0x55d0c9250000), false, "/usr/local/bin/with space", 8516 * 1024, 4096),
                new ProgramPages.Mapping(0x7ffe0000, 0x7fff0000, true, "", 16 * 1024, 16 * 1024),
            ],
            mappings);
    }

    /// <summary>A timer calls it: with all descriptors in use, an exception would end the process and every connection with it.</summary>
    [Fact]
    public void Release_MapsCannotBeRead_IsNothing() => Assert.Equal(0, ProgramPages.Release("/proc/self/no-such-file"));

    [Fact]
    public void Release_RunningProcess_GivesPagesBackAndGoesOn()
    {
        long released = ProgramPages.Release();

        Assert.True(released > 0, "libc alone has clean pages of code");
        // Code and constants are read again from the file.
        Assert.Equal("3.14", Math.Round(Math.PI, 2).ToString(System.Globalization.CultureInfo.InvariantCulture));
        Assert.True(File.Exists("/proc/self/smaps"));
    }
}
