using System.Net;
using System.Text;
using Microsoft.Extensions.Logging;

namespace Ztunnel.Telemetry.Logging;

/// <summary>The logger of one target: asks its gate, then turns the state of a log method into a line.</summary>
internal sealed class TargetLogger(LogSink sink, LogGate gate) : ILogger
{
    private const string TemplateKey = "{OriginalFormat}";
    private const int LargestNameBytes = 128;

    public bool IsEnabled(LogLevel logLevel) => gate.IsOpen(LogSeverityText.From(logLevel));

    // Spans are arguments (LogSpan): ambient scopes would follow the task, not the connection.
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        LogSeverity severity = LogSeverityText.From(logLevel);
        if (!gate.IsOpen(severity))
            return;

        var values = state as IReadOnlyList<KeyValuePair<string, object?>>;
        LogSpan[] spans = values is null ? [] : [.. values.Select(static pair => pair.Value).OfType<LogSpan>()];
        LogLine line = sink.Begin(severity, gate.Target, spans);
        // DNS lines are fields only (data-path 7.7).
        string message = formatter(state, exception);
        if (message.Length > 0)
            line.Message(message);
        if (values is not null)
            AppendFields(ref line, values);
        if (exception is not null)
            line.Field("error"u8, gate.IsOpen(LogSeverity.Debug) ? exception.ToString() : exception.Message);
        line.Complete(gate.Target, spans);
    }

    private static void AppendFields(ref LogLine line, IReadOnlyList<KeyValuePair<string, object?>> values)
    {
        string template = values.Count > 0 && values[^1].Key == TemplateKey ? values[^1].Value as string ?? "" : "";
        Span<byte> name = stackalloc byte[LargestNameBytes];
        foreach ((string key, object? value) in values)
        {
            if (key == TemplateKey || value is null or LogSpan || IsMentioned(template, key))
                continue;
            // A parameter may need the mark to be a name in C# (@namespace); the field does not.
            Encoding.UTF8.TryGetBytes(key.AsSpan().TrimStart('@'), name, out int length);
            AppendField(ref line, name[..length], value);
        }
    }

    private static void AppendField(ref LogLine line, scoped ReadOnlySpan<byte> name, object value)
    {
        switch (value)
        {
            case string text: line.Field(name, text); break;
            case bool flag: line.Field(name, flag); break;
            case IPEndPoint endPoint: line.Field(name, endPoint); break;
            case TimeSpan duration: line.BareField(name, DurationText.Describe(duration)); break;
            case long or int or short or byte or uint or ushort: line.Field(name, Convert.ToInt64(value, System.Globalization.CultureInfo.InvariantCulture)); break;
            case IFormattable formattable: line.BareField(name, formattable.ToString(null, System.Globalization.CultureInfo.InvariantCulture)); break;
            default: line.BareField(name, value.ToString()); break;
        }
    }

    // {name}, {name:format} or {name,width}. Names in templates may differ in case from the parameters.
    private static bool IsMentioned(string template, string name)
    {
        for (int open = template.IndexOf('{', StringComparison.Ordinal); open >= 0; open = template.IndexOf('{', open + 1))
        {
            int end = open + 1 + name.Length;
            if (end < template.Length && template[end] is '}' or ':' or ','
                && template.AsSpan(open + 1, name.Length).Equals(name, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }
}
