using System.Net.Sockets;
using System.Text;

namespace Ztunnel.InPod.Redirection;

/// <summary>
/// Installs, removes and prints the rules that send a pod's traffic through its proxy. Installing twice is the same as installing once, whatever was there of ours before;
/// only what bears our names is ever removed.
/// </summary>
public sealed class PodRedirection
{
    // Each tool needs milliseconds; an xtables lock held by somebody else may take a second.
    private static readonly TimeSpan CommandTimeout = TimeSpan.FromSeconds(10);
    private static readonly string[] RestoreArguments = ["--noflush", "--wait", "5"];

    private readonly NamespaceCommand _command;

    /// <param name="namespacePath">A file of the network namespace: `/run/netns/NAME` or `/proc/PID/ns/net`.</param>
    public PodRedirection(string namespacePath)
    {
        _command = new NamespaceCommand(namespacePath, CommandTimeout);
    }

    /// <summary>What an install feeds to the tools in an untouched namespace, as text for people and for review.</summary>
    public static string Print(RedirectionOptions options)
    {
        var text = new StringBuilder();
        if (options.Backend == RedirectionBackend.Nftables)
        {
            text.Append("# nft -f -\n").Append(NftablesScript.Install(options));
        }
        else
        {
            foreach ((AddressFamily family, string prefix) in Families(options))
            {
                text.Append($"# {prefix}-restore {string.Join(' ', RestoreArguments)}\n");
                text.Append(IptablesScript.Install(IptablesRules.Tables(options, family), IptablesState.Nothing));
            }
        }

        text.Append("# policy routing\n");
        foreach (PolicyRouting routing in options.IPv6 ? [PolicyRouting.IPv4, PolicyRouting.IPv6] : new[] { PolicyRouting.IPv4 })
        {
            text.AppendJoin('\n', routing.CommandLines).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>Brings the namespace to exactly these rules. Throws <see cref="RedirectionException"/>, whose message names what failed.</summary>
    public async Task InstallAsync(RedirectionOptions options, CancellationToken cancellation)
    {
        if (options.FindMistakes() is [_, ..] mistakes)
        {
            throw new RedirectionException(string.Join("; ", mistakes));
        }

        RequireNamespace();

        // Routes first: a rule that marks packets for a table that is not there yet would lose them (istio-integration 2.5).
        await InstallRoutingAsync(options, cancellation).ConfigureAwait(false);

        // The other backend's rules go afterwards: a switch leaves no moment in which connections slip by uncaptured, and whichever translates first wins meanwhile.
        if (options.Backend == RedirectionBackend.Nftables)
        {
            await _command.RequireAsync("nft", ["-f", "-"], NftablesScript.Install(options), cancellation).ConfigureAwait(false);
            await RemoveIptablesAsync(cancellation).ConfigureAwait(false);
        }
        else
        {
            await InstallIptablesAsync(options, cancellation).ConfigureAwait(false);
            await RemoveNftablesAsync(cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Takes our rules away, whichever backend and options made them; nothing to remove is success.</summary>
    public async Task RemoveAsync(CancellationToken cancellation)
    {
        RequireNamespace();
        bool hasIptables = await RemoveIptablesAsync(cancellation).ConfigureAwait(false);
        bool hasNftables = await RemoveNftablesAsync(cancellation).ConfigureAwait(false);
        if (!hasIptables && !hasNftables)
        {
            throw new RedirectionException("neither iptables nor nft is installed here: cannot tell whether rules are in place");
        }

        await PolicyRouting.IPv4.RemoveAsync(_command, cancellation).ConfigureAwait(false);
        if (await HasIPv6Async(cancellation).ConfigureAwait(false))
        {
            await PolicyRouting.IPv6.RemoveAsync(_command, cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>What an install with these options would change, each with what breaks meanwhile; empty when everything is in place.</summary>
    public async Task<IReadOnlyList<string>> FindProblemsAsync(RedirectionOptions options, CancellationToken cancellation)
    {
        RequireNamespace();
        var problems = new List<string>();
        if (options.Backend == RedirectionBackend.Nftables)
        {
            problems.AddRange(await new NftablesCheck(_command, options).FindProblemsAsync(cancellation).ConfigureAwait(false));
        }
        else
        {
            foreach ((AddressFamily family, string prefix) in Families(options))
                problems.AddRange(await new IptablesCheck(_command, options).FindProblemsAsync(family, prefix, cancellation).ConfigureAwait(false));
        }

        problems.AddRange(await PolicyRouting.IPv4.FindProblemsAsync(_command, cancellation).ConfigureAwait(false));
        if (options.IPv6 && await HasIPv6Async(cancellation).ConfigureAwait(false))
            problems.AddRange(await PolicyRouting.IPv6.FindProblemsAsync(_command, cancellation).ConfigureAwait(false));
        return problems;
    }

    private async Task InstallRoutingAsync(RedirectionOptions options, CancellationToken cancellation)
    {
        await PolicyRouting.IPv4.InstallAsync(_command, cancellation).ConfigureAwait(false);
        if (!await HasIPv6Async(cancellation).ConfigureAwait(false))
        {
            return;
        }

        if (options.IPv6)
        {
            await PolicyRouting.IPv6.InstallAsync(_command, cancellation).ConfigureAwait(false);
        }
        else
        {
            await PolicyRouting.IPv6.RemoveAsync(_command, cancellation).ConfigureAwait(false);
        }
    }

    private async Task InstallIptablesAsync(RedirectionOptions options, CancellationToken cancellation)
    {
        foreach ((AddressFamily family, string prefix) in Families(options))
        {
            string saved = await _command.RequireAsync(prefix + "-save", [], input: null, cancellation).ConfigureAwait(false);
            string script = IptablesScript.Install(IptablesRules.Tables(options, family), IptablesState.Parse(saved));
            await _command.RequireAsync(prefix + "-restore", RestoreArguments, script, cancellation).ConfigureAwait(false);
        }

        if (!options.IPv6)
        {
            await RemoveIptablesAsync("ip6tables", cancellation).ConfigureAwait(false);
        }
    }

    private async Task<bool> RemoveIptablesAsync(CancellationToken cancellation)
    {
        bool hasIPv4 = await RemoveIptablesAsync("iptables", cancellation).ConfigureAwait(false);
        bool hasIPv6 = await RemoveIptablesAsync("ip6tables", cancellation).ConfigureAwait(false);
        return hasIPv4 || hasIPv6;
    }

    /// <summary>False when the tool is not installed: then it cannot have made rules.</summary>
    private async Task<bool> RemoveIptablesAsync(string prefix, CancellationToken cancellation)
    {
        NamespaceCommandResult saved = await _command.RunAsync(prefix + "-save", [], input: null, cancellation).ConfigureAwait(false);
        if (!saved.Succeeded)
        {
            return saved.ProgramIsMissing ? false : throw _command.Failure(saved);
        }

        IptablesState present = IptablesState.Parse(saved.Output);
        if (!present.IsEmpty)
        {
            await _command.RequireAsync(prefix + "-restore", RestoreArguments, IptablesScript.Remove(present), cancellation).ConfigureAwait(false);
        }

        return true;
    }

    /// <summary>False when the tool is not installed.</summary>
    private async Task<bool> RemoveNftablesAsync(CancellationToken cancellation)
    {
        NamespaceCommandResult tables = await _command.RunAsync("nft", ["list", "tables", "inet"], input: null, cancellation).ConfigureAwait(false);
        if (!tables.Succeeded)
        {
            return tables.ProgramIsMissing ? false : throw _command.Failure(tables);
        }

        if (NftablesScript.AllTables.Any(table => tables.Output.Contains($"table inet {table}", StringComparison.Ordinal)))
        {
            await _command.RequireAsync("nft", ["-f", "-"], NftablesScript.Remove(), cancellation).ConfigureAwait(false);
        }

        return true;
    }

    /// <summary>Policy routing of a family that loopback does not have cannot be installed and is not needed.</summary>
    private async Task<bool> HasIPv6Async(CancellationToken cancellation)
    {
        NamespaceCommandResult disabled = await _command.RunAsync("cat", ["/proc/sys/net/ipv6/conf/lo/disable_ipv6"], input: null, cancellation).ConfigureAwait(false);
        return disabled.Succeeded && disabled.Output.Trim() == "0";
    }

    private void RequireNamespace()
    {
        if (!File.Exists(_command.NamespacePath))
        {
            throw new RedirectionException($"{_command.NamespacePath}: no such network namespace file");
        }
    }

    private static IEnumerable<(AddressFamily Family, string Prefix)> Families(RedirectionOptions options)
    {
        yield return (AddressFamily.InterNetwork, "iptables");
        if (options.IPv6)
        {
            yield return (AddressFamily.InterNetworkV6, "ip6tables");
        }
    }
}
