namespace Ztunnel.Namespace.Tests.Observability;

/// <summary>One connection of the recording: who ran the client, what it printed, and the access log of both proxies.</summary>
/// <param name="Title">What is tried.</param>
/// <param name="Pod">a, b, c or x.</param>
/// <param name="Command">The client's arguments: host, port, text.</param>
/// <param name="Transcript">What the client printed.</param>
/// <param name="LinesOfA">Access log of the proxy of pod a.</param>
/// <param name="LinesOfB">Access log of the proxy of pod b.</param>
internal sealed record RecordedScenario(string Title, string Pod, string[] Command, string[] Transcript, LogFields[] LinesOfA, LogFields[] LinesOfB)
{
    // One scenario is what the server saw of all others; it is no connection of its own.
    private const string Observation = "app on b";

    // The one connection that curl makes, through socks5; it waits for a word of the server, which never comes. Here it gives up sooner than in the recording.
    private const string Socks5 = "socks5 by IP";
    private static readonly string[] Curl = ["-sS", "-m", "1", "--socks5", "127.0.0.1:15080", "telnet://10.99.0.10:80"];

    /// <summary>Whether <see cref="Command"/> are arguments of curl.</summary>
    public bool IsCurl => ReferenceEquals(Command, Curl);

    public static IReadOnlyList<RecordedScenario> Read(string path)
    {
        List<RecordedScenario> scenarios = [];
        foreach (string section in File.ReadAllText(path).Split("### ").Skip(1))
        {
            string[] lines = section.TrimEnd().Split('\n');
            if (lines[0].StartsWith(Observation, StringComparison.Ordinal))
                continue;
            scenarios.Add(Read(lines));
        }

        return scenarios;
    }

    private static RecordedScenario Read(string[] lines)
    {
        string[] command = lines[1].Split(' ');
        int end = Array.FindIndex(lines, static line => line.StartsWith("-- ", StringComparison.Ordinal));
        // "after ~3.1s" is a remark of whoever recorded it.
        string[] transcript = [.. lines[2..(end < 0 ? lines.Length : end)].Where(static line => !line.StartsWith("after ", StringComparison.Ordinal))];
        if (lines[0] == Socks5)
            return new(lines[0], "a", Curl, [transcript[0]], Lines(lines, "a"), Lines(lines, "b")); // without curl's own words
        return new(lines[0], command[0][..1], command[2..], transcript, Lines(lines, "a"), Lines(lines, "b"));
    }

    private static LogFields[] Lines(string[] section, string proxy) =>
    [
        .. section.SkipWhile(line => line != $"-- ztunnel {proxy}").Skip(1).TakeWhile(static line => line.Length > 0 && !line.StartsWith("-- ", StringComparison.Ordinal)).Select(LogFields.Read),
    ];
}
