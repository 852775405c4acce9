using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace Ztunnel.Telemetry.Metrics;

/// <summary>
/// Writes the text form of metrics as UTF-8 (data-path 8.1):
/// <code>
/// # HELP name help.
/// # TYPE name counter
/// name_total{label="value"} 1
/// </code>
/// The header of a family is written with its first sample, so that empty families leave no trace.
/// </summary>
internal sealed class ExpositionWriter(IBufferWriter<byte> output, bool openMetrics)
{
    // Asked of the output at a time: a pipe answers more slowly than a span is filled.
    private const int ChunkBytes = 4000;

    private MetricFamily? _pending;
    private bool _hasLabels;
    private Memory<byte> _chunk;
    private int _used;
    private long _committed;

    /// <summary>Bytes written since the last <see cref="CommitPiece"/>.</summary>
    public long UnflushedBytes => _committed + _used;

    /// <summary>Hands everything written to the output: before it is flushed.</summary>
    public void CommitPiece()
    {
        Commit();
        _committed = 0;
    }

    public void Begin(MetricFamily family) => _pending = family;

    public void StartSample(string name, string suffix)
    {
        if (_pending is { } family)
        {
            _pending = null;
            WriteHeader(family);
        }

        Raw(name);
        Raw(suffix);
        _hasLabels = false;
    }

    public void Label(string name, string value)
    {
        Raw(_hasLabels ? ","u8 : "{"u8);
        _hasLabels = true;
        Raw(name);
        Raw("=\""u8);
        Escaped(value);
        Raw("\""u8);
    }

    public void EndSample(long value)
    {
        EndLabels();
        Span<byte> digits = stackalloc byte[20];
        Utf8Formatter.TryFormat(value, digits, out int length);
        Raw(digits[..length]);
        Raw("\n"u8);
    }

    /// <summary>A decimal number with as many places as it needs, at least one.</summary>
    public void EndSample(double value)
    {
        EndLabels();
        Raw(value switch
        {
            double.PositiveInfinity => "+Inf",
            double.NegativeInfinity => "-Inf",
            double.NaN => "NaN",
            _ => value.ToString("0.0################", System.Globalization.CultureInfo.InvariantCulture),
        });
        Raw("\n"u8);
    }

    /// <summary>A duration counted in nanoseconds, written in seconds without rounding.</summary>
    public void EndSampleSeconds(decimal nanoseconds)
    {
        EndLabels();
        Raw((nanoseconds / 1_000_000_000).ToString("0.0########", System.Globalization.CultureInfo.InvariantCulture));
        Raw("\n"u8);
    }

    public void End()
    {
        Raw("# EOF\n"u8);
        CommitPiece();
    }

    private void Commit()
    {
        // A response that has not begun refuses to be advanced, even by nothing.
        if (_used > 0)
            output.Advance(_used);
        _committed += _used;
        _used = 0;
        _chunk = default;
    }

    private void EndLabels() => Raw(_hasLabels ? "} "u8 : " "u8);

    private void WriteHeader(MetricFamily family)
    {
        string name = openMetrics ? family.Name : family.Name + family.SampleSuffix;
        Comment("HELP"u8, name, family.Help);
        Comment("TYPE"u8, name, family.Kind switch
        {
            MetricKind.Counter => "counter",
            MetricKind.Gauge => "gauge",
            _ => "histogram",
        });
        if (openMetrics && family.Unit is { } unit)
            Comment("UNIT"u8, name, unit);
    }

    private void Comment(ReadOnlySpan<byte> word, string name, string text)
    {
        Raw("# "u8);
        Raw(word);
        Raw(" "u8);
        Raw(name);
        Raw(" "u8);
        Raw(text);
        Raw("\n"u8);
    }

    // Label values come from peers (baggage) and from the mesh: a quote or line feed in one must not be able to forge a sample.
    private void Escaped(string value)
    {
        int special = value.AsSpan().IndexOfAny('\\', '"', '\n');
        int start = 0;
        while (special >= 0)
        {
            Raw(value.AsSpan(start, special));
            Raw(value[start + special] switch { '\n' => "\\n"u8, '"' => "\\\""u8, _ => "\\\\"u8 });
            start += special + 1;
            special = value.AsSpan(start).IndexOfAny('\\', '"', '\n');
        }

        Raw(value.AsSpan(start));
    }

    private void Raw(ReadOnlySpan<char> text)
    {
        // Two statements: Room may set _used back.
        int bytes = Encoding.UTF8.GetBytes(text, Room(Encoding.UTF8.GetMaxByteCount(text.Length)));
        _used += bytes;
    }

    private void Raw(ReadOnlySpan<byte> utf8)
    {
        utf8.CopyTo(Room(utf8.Length));
        _used += utf8.Length;
    }

    private Span<byte> Room(int bytes)
    {
        if (_chunk.Length - _used < bytes)
        {
            Commit();
            _chunk = output.GetMemory(Math.Max(bytes, ChunkBytes));
        }

        return _chunk.Span[_used..];
    }
}
