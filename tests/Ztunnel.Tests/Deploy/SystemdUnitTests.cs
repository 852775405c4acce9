using System.CommandLine;
using Ztunnel.Commands;
using Ztunnel.Settings;
using Ztunnel.Tests.Settings;

namespace Ztunnel.Tests.Deploy;

/// <summary>deploy/systemd: commands, options and variables in the units are those of the program.</summary>
public sealed class SystemdUnitTests
{
    private static string Folder => Path.Combine(Manifest.Folder, "systemd");

    public static TheoryData<string> Units() => [.. Directory.EnumerateFiles(Folder, "*.service").Select(static path => Path.GetFileName(path))];

    [Theory]
    [MemberData(nameof(Units))]
    public void Commands_AreUnderstood(string unit)
    {
        string[][] commands =
        [
            .. File.ReadLines(Path.Combine(Folder, unit))
                .Where(static line => line.StartsWith("Exec", StringComparison.Ordinal))
                .Select(static line => line.Split('=', 2)[1].TrimStart('+').Split(' ')),
        ];

        Assert.NotEmpty(commands);
        Assert.All(commands, static command =>
        {
            Assert.Equal("/usr/local/bin/ztunnel", command[0]);
            if (command[1] == "redirect")
                Assert.Empty(RedirectCommand.Create().Parse(command[2..]).Errors.Select(static error => error.Message));
            else if (command[1] == "agent")
                Assert.Empty(AgentCommand.Create().Parse(command[2..]).Errors.Select(static error => error.Message));
            else
                Assert.Equal(["proxy", "ztunnel"], command[1..]);
        });
    }

    [Fact]
    public void EnvironmentFile_IsReadWithoutMistake()
    {
        (string Name, string Value)[] variables =
            [.. File.ReadLines(Path.Combine(Folder, "ztunnel.env")).Where(static line => line.Length > 0 && line[0] != '#').Select(static line => line.Split('=', 2)).Select(static pair => (pair[0], pair[1]))];

        Assert.All(variables, static variable => Assert.True(DaemonSetContractTests.IsSetting(variable.Name), $"no such setting: {variable.Name}"));
        ZtunnelSettings settings = TestSource.Read(variables);

        string unit = File.ReadAllText(Path.Combine(Folder, "ztunnel.service"));
        int stop = int.Parse(unit.Split("TimeoutStopSec=")[1].Split('\n')[0], System.Globalization.CultureInfo.InvariantCulture);
        Assert.True(settings.Tuning.TerminationDeadline.TotalSeconds < stop, "systemd would kill ztunnel before its deadline");
    }

    [Fact]
    public void DedicatedUnit_WithAWorkload_IsReadWithoutMistake()
    {
        (string Name, string Value)[] variables =
        [
            .. File.ReadLines(Path.Combine(Folder, "ztunnel-dedicated@.service"))
                .Where(static line => line.StartsWith("Environment=", StringComparison.Ordinal))
                .Select(static line => line.Split('=', 3)).Select(static parts => (parts[1], parts[2])),
            ("PROXY_WORKLOAD_INFO", "default/web/web"),
        ];

        Assert.Equal(ProxyMode.Dedicated, TestSource.Read(variables).Mode.Mode);
    }
}
