namespace Ztunnel.Telemetry.Logging;

/// <summary>
/// What a line happened in, such as <c>outbound{id=...}</c>: handed to a log method as an argument that the message does not mention. Values are written bare.
/// </summary>
public sealed record LogSpan(string Name, params IReadOnlyList<KeyValuePair<string, string>> Fields);
