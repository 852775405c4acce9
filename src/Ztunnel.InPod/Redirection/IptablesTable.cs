using System.Collections.Immutable;

namespace Ztunnel.InPod.Redirection;

/// <summary>Our two chains in one iptables table: what PREROUTING and OUTPUT jump to, as rule specifications without the chain.</summary>
internal sealed record IptablesTable(string Name, ImmutableArray<RedirectionRule> Prerouting, ImmutableArray<RedirectionRule> Output)
{
    public const string PreroutingChain = "ISTIO_PRERT";

    public const string OutputChain = "ISTIO_OUTPUT";

    /// <summary>Our chains with the rules they should hold, in order.</summary>
    public ImmutableArray<(string Chain, ImmutableArray<RedirectionRule> Rules)> Chains => [(PreroutingChain, Prerouting), (OutputChain, Output)];

    /// <summary>Every table that may hold chains of ours, whatever the options were when they were made.</summary>
    public static ImmutableArray<string> AllNames { get; } = ["mangle", "nat", "raw"];

    /// <summary>(built-in chain, our chain it jumps to).</summary>
    public static ImmutableArray<(string BuiltIn, string Own)> Jumps { get; } = [("PREROUTING", PreroutingChain), ("OUTPUT", OutputChain)];
}
