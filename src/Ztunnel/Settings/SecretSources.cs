using System.Collections.Immutable;

namespace Ztunnel.Settings;

/// <summary>Where trust roots are.</summary>
public enum RootKind
{
    File,
    System,
    Pem,
}

/// <summary>Trust roots of a control-plane channel: text that begins with <c>-----BEGIN</c> is PEM, <c>SYSTEM</c> the machine's store, anything else a path, which may come into being later.</summary>
public sealed record RootSource(RootKind Kind, string Text)
{
    public static RootSource Parse(string value) =>
        value.TrimStart().StartsWith("-----BEGIN", StringComparison.Ordinal) ? new RootSource(RootKind.Pem, value)
        : value == "SYSTEM" ? new RootSource(RootKind.System, value)
        : new RootSource(RootKind.File, value);
}

/// <summary>The bearer token, or the path of the file that holds it. Never printed.</summary>
public sealed record TokenSource(string PathOrToken, bool IsDefault)
{
    public override string ToString() => "(secret)";
}

/// <summary>A header for the control plane: its name may be shown, its value not.</summary>
public sealed record SecretHeader(string Name, string Value)
{
    public override string ToString() => Name + ": (secret)";

    internal static ImmutableArray<SecretHeader> Read(SettingReader reader, string prefix)
    {
        ImmutableArray<SecretHeader>.Builder headers = ImmutableArray.CreateBuilder<SecretHeader>();
        foreach ((string suffix, string value) in reader.Source.WithPrefix(prefix))
        {
            string name = suffix.ToLowerInvariant();
            if (name.Length == 0 || name.AsSpan().ContainsAnyExcept("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"))
                reader.Mistake($"failed to parse header key: '{suffix}' of {prefix}{suffix} is not a header name");
            else if (value.AsSpan().ContainsAnyExceptInRange(' ', '~'))
                reader.Mistake($"failed to parse header value: {prefix}{suffix} holds characters other than visible ASCII");
            else
                headers.Add(new SecretHeader(name, value));
        }

        return headers.ToImmutable();
    }
}
