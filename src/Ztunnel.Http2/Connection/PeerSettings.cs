using System.Buffers.Binary;
using Ztunnel.Http2.Frames;

namespace Ztunnel.Http2.Connection;

/// <summary>
/// The peer's parameters that matter to what we send, with the values RFC 9113 6.5.2 gives them before SETTINGS arrive. One SETTINGS payload is
/// <code>
/// +-------------------------------+-------------------------------+-------------------------------+
/// |       Identifier (16)         |                          Value (32)                           |  repeated
/// +-------------------------------+-------------------------------+-------------------------------+
/// </code>
/// </summary>
internal struct PeerSettings(int streamsBeforeSettings)
{
    public const int ParameterBytes = 6;

    public bool Received { get; private set; }

    public int MaxConcurrentStreams { get; private set; } = streamsBeforeSettings;

    public int InitialWindow { get; private set; } = FrameLimits.DefaultWindow;

    public int MaxFrame { get; private set; } = FrameLimits.MinMaxFrame;

    /// <summary>The peer's HPACK table became smaller than the default: the next header section must say that our table is no larger (RFC 7541 4.2).</summary>
    public bool TableSizeLowered { get; set; }

    /// <summary>False with the code and the reason of a connection error.</summary>
    public bool TryApply(ReadOnlySpan<byte> payload, Http2Role ownRole, out Http2ErrorCode code, out string? error)
    {
        code = Http2ErrorCode.ProtocolError;
        if (!Received)
        {
            Received = true;
            MaxConcurrentStreams = int.MaxValue;    // the default once SETTINGS have been seen
        }
        for (; !payload.IsEmpty; payload = payload[ParameterBytes..])
        {
            var id = (SettingId)BinaryPrimitives.ReadUInt16BigEndian(payload);
            uint value = BinaryPrimitives.ReadUInt32BigEndian(payload[2..]);
            error = id switch
            {
                SettingId.EnablePush when value > 1 || (value == 1 && ownRole == Http2Role.Client) => $"ENABLE_PUSH {value}",
                SettingId.InitialWindowSize when value > FrameLimits.MaxWindow => $"INITIAL_WINDOW_SIZE {value}",
                SettingId.MaxFrameSize when value is < FrameLimits.MinMaxFrame or > FrameLimits.MaxMaxFrame => $"MAX_FRAME_SIZE {value}",
                SettingId.EnableConnectProtocol when value > 1 => $"ENABLE_CONNECT_PROTOCOL {value}",
                _ => null,
            };
            if (error is not null)
            {
                if (id == SettingId.InitialWindowSize)
                    code = Http2ErrorCode.FlowControlError;
                return false;
            }
            Set(id, value);
        }
        error = null;
        return true;
    }

    private void Set(SettingId id, uint value)
    {
        switch (id)
        {
            case SettingId.HeaderTableSize:
                TableSizeLowered |= value < FrameLimits.DefaultHeaderTable;
                break;
            case SettingId.MaxConcurrentStreams:
                MaxConcurrentStreams = (int)Math.Min(value, int.MaxValue);
                break;
            case SettingId.InitialWindowSize:
                InitialWindow = (int)value;
                break;
            case SettingId.MaxFrameSize:
                MaxFrame = (int)value;
                break;
        }
    }
}
