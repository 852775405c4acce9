using System.Collections.Immutable;

namespace Ztunnel.Telemetry.Logging;

/// <summary>
/// Which lines are written, in the syntax of <c>RUST_LOG</c>: a comma list of <c>level</c>, <c>target=level</c> or <c>target</c> (which means trace).
/// The longest target that a line's target begins with decides; a plain level decides the rest; without one the rest is off. Immutable.
/// </summary>
public sealed class LogFilter
{
    // What the existing program always puts in front, and shows in its answers; operators' scripts compare the text.
    private static readonly Directive Fixed = new("hickory_server::server", LogSeverity.Off);

    // Most specific first: longer targets, then (for a fixed order) the later name.
    private readonly ImmutableArray<Directive> _directives;

    private LogFilter(IEnumerable<Directive> directives) =>
        _directives = [.. directives.OrderByDescending(static directive => directive.Target.Length).ThenByDescending(static directive => directive.Target, StringComparer.Ordinal)];

    /// <summary>What holds when nothing is set.</summary>
    public static LogFilter Default { get; } = new([Fixed, new Directive("", LogSeverity.Info)]);

    /// <summary>Reads the variable's value; an empty one means the default.</summary>
    public static bool TryParse(string text, out LogFilter filter, out string error)
    {
        filter = Default;
        List<Directive> directives = [Fixed];
        bool any = false;
        error = "";
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (Read(part, allowBareTarget: true, out error) is not { } directive)
                return false;
            Replace(directives, directive);
            any = true;
        }

        if (any)
            filter = new LogFilter(directives);
        return true;
    }

    /// <summary>
    /// This filter with the directives of <paramref name="text"/> added or replaced, as <c>/logging?level=</c> asks for. A bare target is refused there: it is a mistyped level more often than a wish for trace.
    /// </summary>
    public bool TryAdd(string text, out LogFilter filter, out string error)
    {
        filter = this;
        error = "";
        List<Directive> directives = [.. _directives];
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (Read(part, allowBareTarget: false, out error) is not { } directive)
                return false;
            Replace(directives, directive);
        }

        filter = new LogFilter(directives);
        return true;
    }

    /// <summary>The most talkative severity that lines of this target may have.</summary>
    public LogSeverity LevelOf(LogTarget target)
    {
        foreach (Directive directive in _directives)
        {
            if (target.Full.StartsWith(directive.Target, StringComparison.Ordinal))
                return directive.Level;
        }

        return LogSeverity.Off;
    }

    /// <summary>As the admin port shows it: targets first, the plain level last.</summary>
    public override string ToString() =>
        string.Join(',', _directives.Select(static directive => directive.Target.Length == 0 ? directive.Level.Word() : $"{directive.Target}={directive.Level.Word()}"));

    private static Directive? Read(string text, bool allowBareTarget, out string error)
    {
        error = "";
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals < 0)
        {
            if (LogSeverityText.TryParse(text, out LogSeverity plain))
                return new Directive("", plain);
            // The form target:level, which istioctl's users type; a target itself may contain "::".
            int colon = text.LastIndexOf(':');
            if (colon > 0 && text[colon - 1] != ':' && LogSeverityText.TryParse(text.AsSpan(colon + 1), out LogSeverity afterColon))
                return new Directive(text[..colon], afterColon);
            if (allowBareTarget && colon != text.Length - 1)
                return new Directive(text, LogSeverity.Trace);
            error = $"'{text}' is not a level; expected off, error, warn, info, debug, trace or target=level";
            return null;
        }

        if (text.IndexOf('=', equals + 1) >= 0)
        {
            error = $"too many '=' in '{text}', expected target=level";
            return null;
        }

        if (!LogSeverityText.TryParse(text.AsSpan(equals + 1), out LogSeverity level))
        {
            error = $"'{text[(equals + 1)..]}' in '{text}' is not a level; expected off, error, warn, info, debug or trace";
            return null;
        }

        return new Directive(text[..equals], level);
    }

    private static void Replace(List<Directive> directives, Directive directive)
    {
        directives.RemoveAll(known => known.Target == directive.Target);
        directives.Add(directive);
    }

    private readonly record struct Directive(string Target, LogSeverity Level);
}
