namespace Ztunnel.Telemetry.Logging;

/// <summary>
/// Where a line comes from. A logger's category is written as the plain format shows it: <c>proxy::outbound</c>, or with spans <c>xds:local_client</c>.
/// The full target, which filters and JSON know, has <c>ztunnel::</c> before it, except for the three that stand alone and for names of other origin.
/// </summary>
public sealed class LogTarget
{
    private const string Prefix = "ztunnel::";

    private LogTarget(string full, string spans)
    {
        Full = full;
        Short = full.StartsWith(Prefix, StringComparison.Ordinal) ? full[Prefix.Length..] : full;
        Spans = spans;
    }

    /// <summary>As JSON's <c>scope</c> and the filters see it.</summary>
    public string Full { get; }

    /// <summary>As the plain format shows it.</summary>
    public string Short { get; }

    /// <summary>Fixed spans without fields, each with its leading colon; empty for most.</summary>
    public string Spans { get; }

    public static LogTarget FromCategory(string category)
    {
        int spans = category.Length;
        for (int i = 0; i < category.Length; i++)
        {
            if (category[i] != ':')
                continue;
            if (i + 1 < category.Length && category[i + 1] == ':')
            {
                i++;
                continue;
            }

            spans = i;
            break;
        }

        string target = category[..spans];
        // A dot marks the category of a library (Microsoft.AspNetCore...).
        bool standsAlone = target is "access" or "dns" or "ztunnel" || target.StartsWith(Prefix, StringComparison.Ordinal) || target.Contains('.', StringComparison.Ordinal);
        return new LogTarget(standsAlone ? target : Prefix + target, category[spans..]);
    }
}
