namespace Ztunnel.Settings;

/// <summary>What a setting is about: the headings of the settings page.</summary>
public enum SettingArea
{
    ControlPlane,
    Node,
    Mode,
    Tuning,
    Observability,
    Ignored,
}

/// <summary>One variable, as operators read about it.</summary>
/// <param name="Area">The heading it stands under.</param>
/// <param name="Name">The variable; a prefix ends in <c>_</c> and stands for all variables that begin with it.</param>
/// <param name="Kind">Type and unit of the value.</param>
/// <param name="Default">A value that says the same as leaving the variable unset; null where nothing can say it, and then <paramref name="Meaning"/> tells.</param>
/// <param name="Meaning">What it does.</param>
public sealed record SettingEntry(SettingArea Area, string Name, string Kind, string? Default, string Meaning)
{
    /// <summary>Not a variable of the existing program.</summary>
    public bool IsOurs { get; init; }

    public bool IsPrefix => Name.EndsWith('_');
}
