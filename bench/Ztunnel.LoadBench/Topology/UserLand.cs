namespace Ztunnel.LoadBench.Topology;

/// <summary>Where the subjects' programs and libraries come from: this machine, or another Debian's root directory (with its OpenSSL, nginx and haproxy) entered by chroot.</summary>
internal sealed class UserLand(string? root)
{
    // Mounts belong to the mount namespace that `ip netns exec` makes: they end with the process.
    private const string EnterRoot =
        """
        root=$1; shift
        while [ "$1" != -- ]; do mkdir -p "$root$1"; mount --bind "$1" "$root$1"; shift; done; shift
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        exec chroot "$root" "$@"
        """;

    /// <summary>Folders that are visible inside under the same path: the run's files, the native binaries.</summary>
    public required string[] Shared { get; init; }

    public bool Has(string program) => File.Exists($"{root}{program}");

    public string[] Enter(string networkNamespace, params string[] commandLine) =>
        root is null ? ["ip", "netns", "exec", networkNamespace, .. commandLine]
        : ["ip", "netns", "exec", networkNamespace, "sh", "-ec", EnterRoot, "sh", root, .. Shared, "--", .. commandLine];

    /// <summary>What a program says about itself (its version), on either of its outputs.</summary>
    public async Task<string> AskAsync(params string[] commandLine)
    {
        string[] inside = root is null ? commandLine : ["chroot", root, .. commandLine];
        CommandResult result = await Command.TryRunAsync(TimeSpan.FromSeconds(20), inside[0], inside[1..], CancellationToken.None);
        return (result.Output + result.Error).Trim();
    }
}
