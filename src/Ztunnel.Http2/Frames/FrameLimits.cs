namespace Ztunnel.Http2.Frames;

/// <summary>Numbers that RFC 9113 fixes.</summary>
internal static class FrameLimits
{
    /// <summary>RFC 9113 6.9.1: a window never exceeds 2^31-1.</summary>
    public const int MaxWindow = int.MaxValue;

    /// <summary>RFC 9113 6.9.2: what both windows are before anything else is said.</summary>
    public const int DefaultWindow = 65_535;

    /// <summary>RFC 9113 6.5.2: smallest, and initial, SETTINGS_MAX_FRAME_SIZE.</summary>
    public const int MinMaxFrame = 16_384;

    public const int MaxMaxFrame = 16_777_215;

    /// <summary>RFC 9113 5.1.1: stream identifiers have 31 bits.</summary>
    public const int MaxStreamId = int.MaxValue;

    /// <summary>RFC 7541 4.2, RFC 9113 6.5.2: the HPACK table before SETTINGS say otherwise.</summary>
    public const int DefaultHeaderTable = 4_096;

    /// <summary>RFC 9113 3.4.</summary>
    public static ReadOnlySpan<byte> ClientPreface => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8;
}
