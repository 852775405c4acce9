using Ztunnel.Testing.Processes;

namespace Ztunnel.Tests.Deploy;

/// <summary>deploy/kind: what the scripts would do, and what they say on a machine that lacks something. No cluster is made here.</summary>
public sealed class KindScriptTests : IDisposable
{
    private readonly string _tools = Directory.CreateTempSubdirectory("zt-kind-").FullName;

    private static string Folder => Path.Combine(Manifest.Folder, "kind");

    [Fact]
    public void Up_DryRun_PrintsEveryCommandAndRunsNone()
    {
        // A path without any of the tools: whatever was run would fail.
        CommandResult dry = Run("up.sh", "--dry-run");

        string[] commands = [.. dry.EnsureSucceeded().Output.Split('\n').Where(static line => line.StartsWith("   $ ", StringComparison.Ordinal)).Select(static line => line[5..])];
        string[] expected =
        [
            "kind create cluster", "docker build", "kind load docker-image localhost/ztunnel-dotnet:dev", "istioctl install",
            "rollout status daemonset/ztunnel", "apply --filename", "exec deployment/friend", "ztunnel-config workloads", "policy.yaml", "exec deployment/stranger", "stats/prometheus",
        ];
        int from = 0;
        foreach (string part in expected)
        {
            int found = Array.FindIndex(commands, from, command => command.Contains(part, StringComparison.Ordinal));
            Assert.True(found >= 0, $"no command with \"{part}\" after number {from}:\n{string.Join('\n', commands)}");
            from = found;
        }

        Assert.Contains(commands, static command => command.Contains("--set values.ztunnel.image=localhost/ztunnel-dotnet:dev", StringComparison.Ordinal));
        Assert.All(commands.Where(static command => command.StartsWith("kubectl", StringComparison.Ordinal)), static command => Assert.StartsWith("kubectl --context kind-ztunnel ", command, StringComparison.Ordinal));
    }

    [Fact]
    public void Down_DryRun_RemovesOnlyThisCluster()
    {
        Assert.Contains("$ kind delete cluster --name ztunnel", Run("down.sh", "--dry-run").EnsureSucceeded().Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Up_ToolMissing_SaysWhichVersionAndWhere()
    {
        CommandResult result = Run("up.sh");

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("up.sh: docker is missing: install version 24.0 or later, https://docs.docker.com/engine/install", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Up_NoEngine_SaysSo()
    {
        AddTool("docker", "[ \"$1\" = version ] && echo 28.2.2");

        Assert.Contains("no engine answers it: start the docker service", Run("up.sh").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Up_ToolTooOld_SaysWhatIsThereAndWhatIsNeeded()
    {
        AddTool("docker", "echo 28.2.2");
        AddTool("kind", "echo kind v0.9.0 go1.15 linux/amd64");

        Assert.Contains("kind is version 0.9.0: install version 0.24 or later", Run("up.sh").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Up_OptionUnknown_NamesIt() => Assert.Contains("unknown option --dryrun; expected --dry-run or --help", Run("up.sh", "--dryrun").Error, StringComparison.Ordinal);

    [Fact]
    public void Workloads_AreInTheMeshWithAccountsOfTheirOwn()
    {
        IReadOnlyList<Manifest> objects = Manifest.Parse(File.ReadAllText(Path.Combine(Folder, "workloads.yaml")));
        Manifest policy = Manifest.Parse(File.ReadAllText(Path.Combine(Folder, "policy.yaml"))).Single();
        string space = objects.Single(static item => item.Kind == "Namespace").Name;

        Assert.Equal("ambient", objects.Single(static item => item.Kind == "Namespace").Field("metadata|labels|istio.io/dataplane-mode"));
        Assert.All(objects.Where(static item => item.Kind == "Deployment"), deployment =>
        {
            string account = deployment.Field("spec|template|spec|serviceAccountName");
            Assert.Contains(objects, item => item.Kind == "ServiceAccount" && item.Name == account && item.Field("metadata|namespace") == space);
            Assert.Equal(deployment.Field("spec|selector|matchLabels"), deployment.Field("spec|template|metadata|labels"));
        });
        Assert.Equal($"[cluster.local/ns/{space}/sa/friend]", policy.Field("spec|rules|0|from|0|source|principals"));
        Assert.Equal(objects.Single(static item => item.Kind == "Service").Field("spec|selector"), policy.Field("spec|selector|matchLabels"));
    }

    public void Dispose() => Directory.Delete(_tools, recursive: true);

    private CommandResult Run(string script, params string[] arguments)
    {
        foreach (string program in (string[])["basename", "dirname", "sed", "grep", "head", "sort", "seq", "awk"])
            AddLink(program);
        return TestCommand.Run("env", ["-i", $"PATH={_tools}", "/bin/bash", Path.Combine(Folder, script), .. arguments]);
    }

    private void AddLink(string program)
    {
        string link = Path.Combine(_tools, program);
        if (!File.Exists(link))
            File.CreateSymbolicLink(link, File.Exists($"/usr/bin/{program}") ? $"/usr/bin/{program}" : $"/bin/{program}");
    }

    private void AddTool(string name, string script)
    {
        string path = Path.Combine(_tools, name);
        File.WriteAllText(path, $"#!/bin/bash\n{script}\n");
        TestCommand.Run("chmod", "+x", path).EnsureSucceeded();
    }
}
