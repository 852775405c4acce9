using System.Collections.Immutable;
using System.Globalization;
using System.Numerics;

namespace Ztunnel.Settings;

/// <summary>
/// Reads single variables and gathers every mistake, so that an operator sees all of them at once (control-path 2.1). An unset variable means its default; one that is set but empty is read like any other value.
/// </summary>
public sealed class SettingReader(SettingsSource source)
{
    private readonly List<string> _mistakes = [];
    private readonly List<string> _warnings = [];

    public SettingsSource Source { get; } = source;

    public ImmutableArray<string> Mistakes => [.. _mistakes];

    public ImmutableArray<string> Warnings => [.. _warnings];

    public string Text(string name, string fallback) => Source.Lookup(name) ?? fallback;

    public string? OptionalText(string name) => Source.Lookup(name);

    /// <summary>Text of which an empty value says the same as none.</summary>
    public string? NonEmptyText(string name) => Source.Lookup(name) is { Length: > 0 } value ? value : null;

    public bool Flag(string name, bool fallback) => OptionalFlag(name) ?? fallback;

    public bool? OptionalFlag(string name)
    {
        switch (Source.Lookup(name))
        {
            case null: return null;
            case "true": return true;
            case "false": return false;
            case { } value:
                Invalid(name, value, "provided string was not `true` or `false`");
                return null;
        }
    }

    public T Number<T>(string name, T fallback)
        where T : struct, IBinaryInteger<T>, IMinMaxValue<T> => OptionalNumber<T>(name) ?? fallback;

    public T? OptionalNumber<T>(string name)
        where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
    {
        if (Source.Lookup(name) is not { } value)
            return null;
        string? reason = NumberMistake<T>(value);
        if (reason is null)
            return T.Parse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        Invalid(name, value, reason);
        return null;
    }

    public TimeSpan Duration(string name, TimeSpan fallback) => OptionalDuration(name) ?? fallback;

    public TimeSpan? OptionalDuration(string name)
    {
        if (Source.Lookup(name) is not { } value)
            return null;
        if (DurationParser.TryParse(value, out TimeSpan duration, out string reason))
            return duration;
        Invalid(name, value, reason);
        return null;
    }

    /// <summary>One of several words.</summary>
    public T Choice<T>(string name, T fallback, params ReadOnlySpan<(string Word, T Value)> choices)
    {
        if (Source.Lookup(name) is not { } value)
            return fallback;
        List<string> words = [];
        foreach ((string word, T choice) in choices)
        {
            if (word == value)
                return choice;
            words.Add(word);
        }

        Invalid(name, value, $"{name} must be one of {string.Join(", ", words)}");
        return fallback;
    }

    /// <summary>A variable has a value that cannot be read.</summary>
    public void Invalid(string name, string value, string reason) => _mistakes.Add($"invalid env var {name}={value} ({reason})");

    /// <summary>Values that can be read do not fit together.</summary>
    public void Contradiction(string text) => _mistakes.Add($"invalid configuration: {text}");

    /// <summary>A mistake with words of its own.</summary>
    public void Mistake(string text) => _mistakes.Add(text);

    /// <summary>Something is left out, and the program starts all the same.</summary>
    public void Warn(string text) => _warnings.Add(text);

    /// <summary>What is wrong with the text of a whole number, in the words operators know from the existing program; null when nothing is.</summary>
    internal static string? NumberMistake<T>(string value)
        where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
    {
        string expected = string.Create(CultureInfo.InvariantCulture, $"expected a whole number from {T.MinValue} to {T.MaxValue}");
        if (value.Length == 0)
            return $"cannot parse integer from empty string, {expected}";
        if (!BigInteger.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out BigInteger number))
            return $"invalid digit found in string, {expected}";
        if (number > BigInteger.CreateChecked(T.MaxValue))
            return $"number too large to fit in target type, {expected}";
        return number < BigInteger.CreateChecked(T.MinValue) ? $"number too small to fit in target type, {expected}" : null;
    }
}
