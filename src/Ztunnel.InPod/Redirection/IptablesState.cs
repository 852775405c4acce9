using System.Collections.Immutable;

namespace Ztunnel.InPod.Redirection;

/// <summary>What `iptables-save` shows of ours: the chains, and how often each built-in chain jumps to them.</summary>
internal sealed class IptablesState
{
    private readonly HashSet<(string Table, string Chain)> _chains = [];
    private readonly Dictionary<(string Table, string Jump), int> _jumps = [];
    private readonly Dictionary<(string Table, string Chain), List<string>> _rules = [];

    public static IptablesState Nothing { get; } = new();

    public bool IsEmpty => _chains.Count == 0 && _jumps.Count == 0;

    public static IptablesState Parse(string savedRules)
    {
        var state = new IptablesState();
        string table = "";
        foreach (string line in savedRules.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (line[0] == '*')
            {
                table = line[1..];
            }
            else if (line[0] == ':')
            {
                state.AddChain(table, line[1..].Split(' ')[0]);
            }
            else
            {
                state.AddJump(table, line);
                state.AddRule(table, line);
            }
        }

        return state;
    }

    public bool HasChain(string table, string chain) => _chains.Contains((table, chain));

    public int CountJumps(string table, string builtIn, string own) => _jumps.GetValueOrDefault((table, Jump(builtIn, own)));

    /// <summary>What stands in a chain of ours, as it is saved, without the chain's name.</summary>
    public IReadOnlyList<string> Rules(string table, string chain) => _rules.GetValueOrDefault((table, chain)) ?? [];

    private void AddRule(string table, string line)
    {
        foreach (string chain in (string[])[IptablesTable.PreroutingChain, IptablesTable.OutputChain])
        {
            string start = $"-A {chain} ";
            if (!line.StartsWith(start, StringComparison.Ordinal))
                continue;
            if (!_rules.TryGetValue((table, chain), out List<string>? rules))
                _rules[(table, chain)] = rules = [];
            rules.Add(line[start.Length..]);
        }
    }

    private void AddChain(string table, string chain)
    {
        if (chain is IptablesTable.PreroutingChain or IptablesTable.OutputChain)
        {
            _chains.Add((table, chain));
        }
    }

    private void AddJump(string table, string line)
    {
        if (IptablesTable.Jumps.Any(jump => line == Jump(jump.BuiltIn, jump.Own)))
        {
            _jumps[(table, line)] = _jumps.GetValueOrDefault((table, line)) + 1;
        }
    }

    private static string Jump(string builtIn, string own) => $"-A {builtIn} -j {own}";
}
