using System.Text.RegularExpressions;

namespace Ztunnel.InPod.Redirection;

/// <summary>Compares our tables as `nft list` shows them with what an install would make.</summary>
internal sealed partial class NftablesCheck(NamespaceCommand command, RedirectionOptions options)
{
    public async Task<IReadOnlyList<string>> FindProblemsAsync(CancellationToken cancellation)
    {
        var problems = new List<string>();
        foreach (NftablesTable table in NftablesScript.Tables(options))
        {
            NamespaceCommandResult listed = await command.RunAsync("nft", ["list", "table", "inet", table.Name], input: null, cancellation).ConfigureAwait(false);
            if (listed.ProgramIsMissing)
                throw command.Failure(listed);
            Dictionary<string, List<string>> chains = Parse(listed.Succeeded ? listed.Output : "");
            foreach (NftablesChain chain in table.Chains)
                Check(table.Name, chain, chains, problems);
        }

        return problems;
    }

    private static void Check(string table, NftablesChain chain, Dictionary<string, List<string>> present, List<string> problems)
    {
        List<string> hook = present.GetValueOrDefault(chain.Hook) ?? [];
        if (!hook.Exists(line => line.StartsWith($"type {chain.Type} hook {chain.Hook} ", StringComparison.Ordinal)) || !hook.Contains(chain.Jump))
            problems.Add($"nft inet {table}: no chain of type {chain.Type} at {chain.Hook} jumps to {chain.OwnName}: {RulePurpose.Hook}");

        List<string> found = present.GetValueOrDefault(chain.OwnName) ?? [];
        int missing = 0;
        int last = -1;
        bool isOrdered = true;
        foreach (RedirectionRule rule in chain.Rules)
        {
            int place = found.IndexOf(Normalize(rule.Text));
            if (place < 0)
            {
                missing++;
                problems.Add($"nft inet {table}: missing in {chain.OwnName} `{rule.Text}`: {rule.WithoutIt}");
                continue;
            }

            isOrdered &= place > last;
            last = place;
        }

        if (found.Count != chain.Rules.Length - missing)
            problems.Add($"nft inet {table}: {chain.OwnName} holds {found.Count} rules where {chain.Rules.Length - missing} of ours are: whatever stands between them may decide first");
        if (!isOrdered)
            problems.Add($"nft inet {table}: the rules of {chain.OwnName} are not in their order, and the first that matches decides");
    }

    /// <summary>Chain → its lines, in one way of writing.</summary>
    private static Dictionary<string, List<string>> Parse(string listing)
    {
        var chains = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        List<string>? chain = null;
        foreach (string line in listing.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.StartsWith("chain ", StringComparison.Ordinal))
                chains[line.Split(' ')[1]] = chain = [];
            else if (line == "}")
                chain = null;
            else
                chain?.Add(Normalize(line));
        }

        return chains;
    }

    // Counters run; numbers are padded by some versions only; of two masks with the same effect the tool shows the one that the kernel keeps.
    private static string Normalize(string line) =>
        PaddedNumber().Replace(Counter().Replace(line, "counter"), "0x").Replace("& 0xfffff000 | 0x111", "& 0xfffff111 | 0x111", StringComparison.Ordinal);

    [GeneratedRegex(@"counter packets \d+ bytes \d+")]
    private static partial Regex Counter();

    [GeneratedRegex("0x0+(?=[0-9a-f])")]
    private static partial Regex PaddedNumber();
}
