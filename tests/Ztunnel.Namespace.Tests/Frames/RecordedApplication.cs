using System.Text.RegularExpressions;

namespace Ztunnel.Namespace.Tests.Frames;

/// <summary>What the application of a recorded case of the client role did and saw.</summary>
/// <param name="Case">The heading of the case.</param>
/// <param name="Command">Host, port, text and manner of reference.py.</param>
/// <param name="Recorded">What it saw, line by line.</param>
internal sealed partial record RecordedApplication(string Case, string[] Command, string[] Recorded)
{
    // Their applications do what the recording shows in no words; each has a test of its own, see tests/must-match.md.
    private static readonly string[] Others = ["application resets its own TCP connection while the stream is open"];

    public static IEnumerable<RecordedApplication> Read(string recording)
    {
        string[] cases = File.ReadAllText(recording).Split("\n### ")[1..];
        foreach (string text in cases)
        {
            string[] lines = text.Split('\n');
            if (Others.Contains(lines[0]))
                continue;
            string[] seen = [.. lines.SkipWhile(static line => line != "-- application on a").Skip(1).TakeWhile(static line => line != "-- ztunnel a log").Where(static line => line != "")];
            Match authority = Authority().Match(text);
            string[] command = [authority.Groups[1].Value, authority.Groups[2].Value, "hello", .. seen.Length == 0 ? (string[])["silent"] : []];
            yield return new RecordedApplication(lines[0], command, seen.Length == 0 ? ["connected"] : seen);
        }
    }

    /// <summary>A reset may be noticed by the first write, the read or the connect itself: a matter of chance.</summary>
    public string Normalize(string[] transcript) =>
        Array.Exists(transcript, static line => line.StartsWith("then: ConnectionResetError", StringComparison.Ordinal)) && !Array.Exists(transcript, static line => line.StartsWith("recv b'h", StringComparison.Ordinal))
            ? "reset" : string.Join(" / ", transcript);

    [GeneratedRegex(":authority: ([0-9.]+):([0-9]+)")]
    private static partial Regex Authority();
}
