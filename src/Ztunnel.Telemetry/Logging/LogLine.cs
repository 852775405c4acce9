using System.Net;

namespace Ztunnel.Telemetry.Logging;

/// <summary>
/// Builds one line in the sink's format, field by field, straight into UTF-8: begin, message, fields, spans, then <see cref="Complete"/> hands it over. Nothing is queued without it.
/// </summary>
public ref struct LogLine
{
    private readonly LogSink _sink;
    private readonly LogBuffer _buffer;
    private readonly bool _json;
    private bool _hasFields;

    internal LogLine(LogSink sink, LogBuffer buffer, LogSeverity severity, LogTarget target, scoped ReadOnlySpan<LogSpan> spans)
    {
        _sink = sink;
        _buffer = buffer;
        _json = sink.Format == LogFormat.Json;
        if (_json)
        {
            _buffer.Append("{\"level\":\""u8);
            _buffer.Append(severity.Word());
            _buffer.Append("\",\"time\":\""u8);
            _buffer.AppendTime(sink.Time.GetUtcNow());
            _buffer.Append("\",\"scope\":"u8);
            LogText.AppendJson(_buffer, target.Full);
            return;
        }

        _buffer.AppendTime(sink.Time.GetUtcNow());
        _buffer.Append((byte)'\t');
        _buffer.Append(severity.Word());
        _buffer.Append((byte)'\t');
        _buffer.Append(target.Short);
        _buffer.Append(target.Spans);
        foreach (LogSpan span in spans)
            AppendPlainSpan(span);
        _buffer.Append((byte)'\t');
    }

    /// <summary>The message, once and before any field. Line feeds are kept only for text of our own that is meant to be several lines.</summary>
    public readonly void Message(scoped ReadOnlySpan<char> text, bool severalLines = false)
    {
        if (_json)
        {
            _buffer.Append(",\"message\":"u8);
            LogText.AppendJson(_buffer, text);
            return;
        }

        if (severalLines)
            _buffer.Append(text);
        else
            LogText.AppendBare(_buffer, text);
        _buffer.Append((byte)'\t');
    }

    /// <summary>A string: quoted in both formats.</summary>
    public void Field(scoped ReadOnlySpan<byte> name, scoped ReadOnlySpan<char> value)
    {
        Name(name);
        if (_json)
            LogText.AppendJson(_buffer, value);
        else
            LogText.AppendQuoted(_buffer, value);
    }

    /// <summary>Text that is bare in the plain format, a string in JSON.</summary>
    public void BareField(scoped ReadOnlySpan<byte> name, scoped ReadOnlySpan<char> value)
    {
        Name(name);
        if (_json)
            LogText.AppendJson(_buffer, value);
        else
            LogText.AppendBare(_buffer, value);
    }

    public void Field(scoped ReadOnlySpan<byte> name, IPEndPoint value)
    {
        Name(name);
        if (_json)
            _buffer.Append((byte)'"');
        _buffer.Append(value);
        if (_json)
            _buffer.Append((byte)'"');
    }

    public void Field(scoped ReadOnlySpan<byte> name, long value)
    {
        Name(name);
        _buffer.Append(value);
    }

    public void Field(scoped ReadOnlySpan<byte> name, bool value)
    {
        Name(name);
        _buffer.Append(value ? "true"u8 : "false"u8);
    }

    /// <summary>Whole milliseconds as a string: <c>"13ms"</c>.</summary>
    public void Milliseconds(scoped ReadOnlySpan<byte> name, TimeSpan value)
    {
        Name(name);
        _buffer.Append((byte)'"');
        _buffer.Append((long)value.TotalMilliseconds);
        _buffer.Append("ms\""u8);
    }

    /// <summary>A 128-bit number as 32 hexadecimal digits, as trace ids are written; bare in the plain format.</summary>
    public void Hex(scoped ReadOnlySpan<byte> name, UInt128 value)
    {
        Name(name);
        if (_json)
            _buffer.Append((byte)'"');
        _buffer.AppendFormatted(value, "x32");
        if (_json)
            _buffer.Append((byte)'"');
    }

    /// <summary>Ends the line (JSON takes the spans here) and queues it. False when there was no room and the line was dropped and counted.</summary>
    public readonly bool Complete(LogTarget target, scoped ReadOnlySpan<LogSpan> spans)
    {
        Finish(target, spans);
        return _sink.Enqueue(_buffer);
    }

    internal readonly void Finish(LogTarget target, scoped ReadOnlySpan<LogSpan> spans)
    {
        if (_json)
        {
            foreach (Range name in target.Spans.AsSpan().Split(':'))
            {
                if (target.Spans.AsSpan()[name] is { Length: > 0 } text)
                    AppendJsonSpan(text, []);
            }

            foreach (LogSpan span in spans)
                AppendJsonSpan(span.Name, span.Fields);
            _buffer.Append((byte)'}');
        }

        _buffer.Append((byte)'\n');
    }

    private void Name(scoped ReadOnlySpan<byte> name)
    {
        if (_json)
        {
            _buffer.Append(",\""u8);
            _buffer.Append(name);
            _buffer.Append("\":"u8);
            return;
        }

        if (_hasFields)
            _buffer.Append((byte)' ');
        _hasFields = true;
        _buffer.Append(name);
        _buffer.Append((byte)'=');
    }

    private readonly void AppendPlainSpan(LogSpan span)
    {
        _buffer.Append((byte)':');
        _buffer.Append(span.Name);
        if (span.Fields.Count == 0)
            return;
        byte separator = (byte)'{';
        foreach ((string name, string value) in span.Fields)
        {
            _buffer.Append(separator);
            separator = (byte)' ';
            _buffer.Append(name);
            _buffer.Append((byte)'=');
            LogText.AppendBare(_buffer, value);
        }

        _buffer.Append((byte)'}');
    }

    private readonly void AppendJsonSpan(ReadOnlySpan<char> name, IReadOnlyList<KeyValuePair<string, string>> fields)
    {
        _buffer.Append((byte)',');
        LogText.AppendJson(_buffer, name);
        _buffer.Append(":{"u8);
        for (int i = 0; i < fields.Count; i++)
        {
            if (i > 0)
                _buffer.Append((byte)',');
            LogText.AppendJson(_buffer, fields[i].Key);
            _buffer.Append((byte)':');
            LogText.AppendJson(_buffer, fields[i].Value);
        }

        _buffer.Append((byte)'}');
    }
}
