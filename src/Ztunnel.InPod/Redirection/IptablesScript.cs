using System.Collections.Immutable;
using System.Text;

namespace Ztunnel.InPod.Redirection;

/// <summary>
/// Input of `iptables-restore --noflush`. A table is committed as a whole, so traffic meets the old rules or the new ones, never half of them;
/// chains of others are not mentioned and hence not touched.
/// </summary>
internal static class IptablesScript
{
    /// <summary>Brings our chains to exactly these tables, from whatever is there now: the same script twice changes nothing.</summary>
    public static string Install(ImmutableArray<IptablesTable> tables, IptablesState present)
    {
        var script = new StringBuilder();
        foreach (IptablesTable table in tables)
        {
            script.Append('*').Append(table.Name).Append('\n');

            // Naming a chain of our own makes it, or empties it where it exists.
            script.Append(':').Append(IptablesTable.PreroutingChain).Append(" - [0:0]\n");
            script.Append(':').Append(IptablesTable.OutputChain).Append(" - [0:0]\n");
            AppendMissingJumps(script, table.Name, present);
            AppendRules(script, IptablesTable.PreroutingChain, table.Prerouting);
            AppendRules(script, IptablesTable.OutputChain, table.Output);
            script.Append("COMMIT\n");
        }

        // Tables that an earlier install with other options needed and this one does not.
        foreach (string name in IptablesTable.AllNames.Where(name => tables.All(table => table.Name != name)))
        {
            AppendRemoval(script, name, present);
        }

        return script.ToString();
    }

    /// <summary>Takes away what is there of ours; empty when nothing is.</summary>
    public static string Remove(IptablesState present)
    {
        var script = new StringBuilder();
        foreach (string table in IptablesTable.AllNames)
        {
            AppendRemoval(script, table, present);
        }

        return script.ToString();
    }

    private static void AppendMissingJumps(StringBuilder script, string table, IptablesState present)
    {
        foreach ((string builtIn, string own) in IptablesTable.Jumps)
        {
            if (present.CountJumps(table, builtIn, own) == 0)
            {
                script.Append($"-A {builtIn} -j {own}\n");
            }
        }
    }

    private static void AppendRules(StringBuilder script, string chain, ImmutableArray<RedirectionRule> rules)
    {
        foreach (RedirectionRule rule in rules)
        {
            script.Append($"-A {chain} {rule.Text}\n");
        }
    }

    private static void AppendRemoval(StringBuilder script, string table, IptablesState present)
    {
        int start = script.Length;
        foreach ((string builtIn, string own) in IptablesTable.Jumps)
        {
            for (int jumps = present.CountJumps(table, builtIn, own); jumps > 0; jumps--)
            {
                script.Append($"-D {builtIn} -j {own}\n");
            }
        }

        string[] chains = [.. IptablesTable.Jumps.Select(static jump => jump.Own).Where(chain => present.HasChain(table, chain))];
        foreach (string chain in chains)
        {
            script.Append($"-F {chain}\n-X {chain}\n");
        }

        if (script.Length > start)
        {
            script.Insert(start, $"*{table}\n").Append("COMMIT\n");
        }
    }
}
