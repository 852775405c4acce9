using System.Net;
using System.Text;

namespace Ztunnel.Telemetry.Logging;

/// <summary>The bytes of one line while it is built and until it is written. Buffers go round: sink, producer, queue, writer thread, sink.</summary>
internal sealed class LogBuffer
{
    private const int InitialBytes = 1024;

    // A longer line (the configuration, a stack trace) is rare and its buffer is not kept.
    private const int LargestKeptBytes = 8 * 1024;

    private byte[] _bytes = new byte[InitialBytes];

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    public bool IsWorthKeeping => _bytes.Length <= LargestKeptBytes;

    public void Clear() => Length = 0;

    public void Append(ReadOnlySpan<byte> utf8)
    {
        utf8.CopyTo(Room(utf8.Length));
        Length += utf8.Length;
    }

    public void Append(byte value)
    {
        Room(1)[0] = value;
        Length++;
    }

    public void Append(ReadOnlySpan<char> text) => Length += Encoding.UTF8.GetBytes(text, Room(Encoding.UTF8.GetMaxByteCount(text.Length)));

    public void Append(long value) => AppendFormatted(value, default);

    public void Append(IPEndPoint endPoint)
    {
        bool bracketed = endPoint.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6;
        if (bracketed)
            Append((byte)'[');
        AppendFormatted(endPoint.Address, default);
        if (bracketed)
            Append((byte)']');
        Append((byte)':');
        AppendFormatted(endPoint.Port, default);
    }

    public void AppendFormatted<T>(T value, ReadOnlySpan<char> format)
        where T : IUtf8SpanFormattable
    {
        int written;
        for (int room = 64; !value.TryFormat(Room(room), out written, format, System.Globalization.CultureInfo.InvariantCulture); room *= 2)
        {
        }

        Length += written;
    }

    /// <summary><c>2026-01-02T03:04:05.678901Z</c>. By hand: a format string is read anew for every line and costs more than the rest of it.</summary>
    public void AppendTime(DateTimeOffset time)
    {
        DateTime utc = time.UtcDateTime;
        Span<byte> text = Room(27);
        "0000-00-00T00:00:00.000000Z"u8.CopyTo(text);
        Digits(text[..4], utc.Year);
        Digits(text[5..7], utc.Month);
        Digits(text[8..10], utc.Day);
        Digits(text[11..13], utc.Hour);
        Digits(text[14..16], utc.Minute);
        Digits(text[17..19], utc.Second);
        Digits(text[20..26], (int)(utc.Ticks % TimeSpan.TicksPerSecond / TimeSpan.TicksPerMicrosecond));
        Length += 27;
    }

    private static void Digits(Span<byte> text, int value)
    {
        for (int i = text.Length - 1; i >= 0; i--)
        {
            text[i] = (byte)('0' + value % 10);
            value /= 10;
        }
    }

    private Span<byte> Room(int bytes)
    {
        if (_bytes.Length - Length < bytes)
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, Length + bytes));
        return _bytes.AsSpan(Length);
    }
}
