using System.Buffers.Binary;
using System.Globalization;
using Ztunnel.Linux.Interop;

namespace Ztunnel.Linux.Sockets;

/// <summary>What the kernel knows of a TCP connection's way at one moment (<c>struct tcp_info</c> of linux/tcp.h).</summary>
/// <param name="RoundTrip">Smoothed round-trip time.</param>
/// <param name="PendingRetransmits">Time-outs in a row without an answer.</param>
/// <param name="TotalRetransmits">Segments sent again since the connection began.</param>
/// <param name="UnacknowledgedSegments">Sent and not yet confirmed.</param>
/// <param name="LostSegments">Of these, the ones taken for lost.</param>
/// <param name="CongestionWindow">Segments that may be on their way.</param>
/// <param name="SinceLastReceived">How long nothing but confirmations has come.</param>
public sealed record TcpInfo(
    TimeSpan RoundTrip, int PendingRetransmits, long TotalRetransmits, long UnacknowledgedSegments, long LostSegments, long CongestionWindow, TimeSpan SinceLastReceived)
{
    private const int Bytes = 104;
    private const int RetransmitsAt = 2;
    private const int UnacknowledgedAt = 24;
    private const int LostAt = 32;
    private const int LastReceivedAt = 52;
    private const int RoundTripAt = 68;
    private const int CongestionWindowAt = 80;
    private const int TotalRetransmitsAt = 100;

    // Since Linux 4.9; older kernels answer with a shorter structure.
    private const int BytesWithShortest = 152;
    private const int ShortestRoundTripAt = 148;
    private const uint NoSample = uint.MaxValue;

    /// <summary>Null when the socket has none to tell.</summary>
    internal static TcpInfo? Read(int descriptor)
    {
        Span<byte> info = stackalloc byte[Bytes];
        if (Libc.GetOption(descriptor, Libc.SOL_TCP, Libc.TCP_INFO, info, out int length) != Errno.None || length < Bytes)
        {
            return null;
        }

        return new TcpInfo(
            TimeSpan.FromMicroseconds(Field(info, RoundTripAt)),
            info[RetransmitsAt],
            Field(info, TotalRetransmitsAt),
            Field(info, UnacknowledgedAt),
            Field(info, LostAt),
            Field(info, CongestionWindowAt),
            TimeSpan.FromMilliseconds(Field(info, LastReceivedAt)));
    }

    /// <summary>Of that, one field, for those who ask often.</summary>
    internal static TimeSpan? ReadShortestRoundTrip(int descriptor)
    {
        Span<byte> info = stackalloc byte[BytesWithShortest];
        if (Libc.GetOption(descriptor, Libc.SOL_TCP, Libc.TCP_INFO, info, out int length) != Errno.None || length < BytesWithShortest)
        {
            return null;
        }

        uint microseconds = Field(info, ShortestRoundTripAt);
        return microseconds == NoSample ? null : TimeSpan.FromMicroseconds(microseconds);
    }

    /// <summary>In one line, for people.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"rtt {RoundTrip.TotalMilliseconds:0.###}ms, {TotalRetransmits} retransmitted, {UnacknowledgedSegments} unacknowledged, {LostSegments} lost, {PendingRetransmits} time-outs in a row, cwnd {CongestionWindow}, last heard {SinceLastReceived.TotalSeconds:0.#}s ago");

    private static uint Field(ReadOnlySpan<byte> info, int offset) =>
        BitConverter.IsLittleEndian ? BinaryPrimitives.ReadUInt32LittleEndian(info[offset..]) : BinaryPrimitives.ReadUInt32BigEndian(info[offset..]);
}
