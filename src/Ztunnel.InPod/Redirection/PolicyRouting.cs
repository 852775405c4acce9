namespace Ztunnel.InPod.Redirection;

/// <summary>
/// The answer of an application to a connection that we opened under a client's address is addressed to that client. One rule and one route per family send it to us instead:
/// packets with the local-delivery mark use a table in which everything is local (istio-integration 2.5).
/// </summary>
internal sealed class PolicyRouting
{
    private static readonly string Mark = RedirectionMarks.LocalDeliveryMarkText;
    private static readonly string Table = Text(RedirectionMarks.LocalDeliveryTable);
    private static readonly string Preference = Text(RedirectionMarks.RulePreference);

    private readonly string _family;
    private readonly string _everything;

    private PolicyRouting(string family, string everything)
    {
        _family = family;
        _everything = everything;
    }

    public static PolicyRouting IPv4 { get; } = new("-4", "0.0.0.0/0");

    public static PolicyRouting IPv6 { get; } = new("-6", "::/0");

    /// <summary>The commands of an install, for printing.</summary>
    public IEnumerable<string> CommandLines => [$"ip {string.Join(' ', ReplaceRoute())}", $"ip {string.Join(' ', AddRule())}"];

    public async Task InstallAsync(NamespaceCommand command, CancellationToken cancellation)
    {
        await command.RequireAsync("ip", ReplaceRoute(), input: null, cancellation).ConfigureAwait(false);
        if (await CountRulesAsync(command, cancellation).ConfigureAwait(false) == 0)
        {
            await command.RequireAsync("ip", AddRule(), input: null, cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Removes the rule and the route; a table that does not exist is as good as removed.</summary>
    public async Task RemoveAsync(NamespaceCommand command, CancellationToken cancellation)
    {
        for (int rules = await CountRulesAsync(command, cancellation).ConfigureAwait(false); rules > 0; rules--)
        {
            await command.RequireAsync("ip", [_family, "rule", "delete", .. Rule()], input: null, cancellation).ConfigureAwait(false);
        }

        if (await HasRouteAsync(command, cancellation).ConfigureAwait(false))
        {
            await command.RequireAsync("ip", [_family, "route", "delete", .. Route()], input: null, cancellation).ConfigureAwait(false);
        }
    }

    public async Task<IReadOnlyList<string>> FindProblemsAsync(NamespaceCommand command, CancellationToken cancellation)
    {
        var problems = new List<string>();
        if (await CountRulesAsync(command, cancellation).ConfigureAwait(false) == 0)
            problems.Add($"ip {_family} rule: missing `{string.Join(' ', Rule())}`: {RulePurpose.Routing}");
        if (!await HasRouteAsync(command, cancellation).ConfigureAwait(false))
            problems.Add($"ip {_family} route: missing `{string.Join(' ', Route())}`: {RulePurpose.Routing}");
        return problems;
    }

    private async Task<bool> HasRouteAsync(NamespaceCommand command, CancellationToken cancellation)
    {
        NamespaceCommandResult routes = await command.RunAsync("ip", [_family, "route", "show", "table", Table, "type", "local"], input: null, cancellation).ConfigureAwait(false);
        return routes.Succeeded && routes.Output.Split('\n').Any(static line => line.StartsWith("local default dev lo", StringComparison.Ordinal));
    }

    private async Task<int> CountRulesAsync(NamespaceCommand command, CancellationToken cancellation)
    {
        string rules = await command.RequireAsync("ip", [_family, "rule", "show", "pref", Preference], input: null, cancellation).ConfigureAwait(false);
        return rules.Split('\n').Count(static line => line.Contains($"fwmark {Mark} lookup {Table}", StringComparison.Ordinal));
    }

    private string[] ReplaceRoute() => [_family, "route", "replace", .. Route()];

    private string[] AddRule() => [_family, "rule", "add", .. Rule()];

    private string[] Route() => ["local", _everything, "dev", "lo", "table", Table];

    private static string[] Rule() => ["fwmark", Mark, "pref", Preference, "lookup", Table];

    private static string Text(int number) => number.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
