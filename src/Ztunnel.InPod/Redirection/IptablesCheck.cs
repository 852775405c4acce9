using System.Net.Sockets;

namespace Ztunnel.InPod.Redirection;

/// <summary>Compares what a namespace has with what an install would make. Whether a rule is there is asked of the tool itself, which alone knows all ways to write it.</summary>
internal sealed class IptablesCheck(NamespaceCommand command, RedirectionOptions options)
{
    public async Task<IReadOnlyList<string>> FindProblemsAsync(AddressFamily family, string prefix, CancellationToken cancellation)
    {
        string saved = await command.RequireAsync(prefix + "-save", [], input: null, cancellation).ConfigureAwait(false);
        IptablesState present = IptablesState.Parse(saved);
        var problems = new List<string>();
        foreach (IptablesTable table in IptablesRules.Tables(options, family))
        {
            foreach ((string builtIn, string own) in IptablesTable.Jumps.Where(jump => present.CountJumps(table.Name, jump.BuiltIn, jump.Own) == 0))
                problems.Add($"{prefix} -t {table.Name}: {builtIn} does not jump to {own}: {RulePurpose.Hook}");
            foreach ((string chain, IReadOnlyList<RedirectionRule> rules) in table.Chains.Select(static chain => (chain.Chain, (IReadOnlyList<RedirectionRule>)chain.Rules)))
                await CheckChainAsync(prefix, table.Name, chain, rules, present, problems, cancellation).ConfigureAwait(false);
        }

        return problems;
    }

    private async Task CheckChainAsync(
        string prefix, string table, string chain, IReadOnlyList<RedirectionRule> rules, IptablesState present, List<string> problems, CancellationToken cancellation)
    {
        int missing = 0;
        foreach (RedirectionRule rule in rules)
        {
            string[] question = ["--wait", "5", "-t", table, "-C", chain, .. rule.Text.Split(' ')];
            if ((await command.RunAsync(prefix, question, input: null, cancellation).ConfigureAwait(false)).Succeeded)
                continue;
            missing++;
            problems.Add($"{prefix} -t {table}: missing `-A {chain} {rule.Text}`: {rule.WithoutIt}");
        }

        IReadOnlyList<string> found = present.Rules(table, chain);
        if (found.Count != rules.Count - missing)
            problems.Add($"{prefix} -t {table}: {chain} holds {found.Count} rules where {rules.Count - missing} of ours are: whatever stands between them may decide first");
        // Those that are saved as they were written also tell their order.
        int[] places = [.. rules.Select(rule => IndexOf(found, rule.Text)).Where(static place => place >= 0)];
        if (!places.SequenceEqual(places.Order()))
            problems.Add($"{prefix} -t {table}: the rules of {chain} are not in their order, and the first that matches decides");
    }

    private static int IndexOf(IReadOnlyList<string> rules, string text)
    {
        for (int at = 0; at < rules.Count; at++)
        {
            if (rules[at] == text)
                return at;
        }

        return -1;
    }
}
