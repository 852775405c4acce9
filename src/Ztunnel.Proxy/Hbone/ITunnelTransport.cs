using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Proxy.Hbone;

/// <summary>
/// What the records of a tunnel travel over: a socket, or a stream of another tunnel (double HBONE, data-path 2.6). First the handshake awaits bytes and sends its flights; from <see cref="Start"/> on
/// the transport hands the tunnel what arrives and asks it for records whenever there is room.
/// </summary>
/// <remarks>Loop thread only. Belongs to one tunnel, or to nobody when the handshake failed: whoever has it closes it.</remarks>
internal interface ITunnelTransport
{
    EventLoop Loop { get; }

    /// <summary>What the tunnel said has not all left: nothing more is taken until there is room.</summary>
    bool IsBlocked { get; }

    /// <summary>How the way to the peer looks to the kernel: of the outer tunnel, for a tunnel inside another; null when unknown.</summary>
    TcpInfo? ReadTcpInfo();

    /// <summary>The shortest round trip the kernel has seen, which no queue of ours is part of; null when nobody knows the whole way to the peer.</summary>
    TimeSpan? ReadRoundTrip();

    /// <summary>During the handshake: reads once, waiting for something to read.</summary>
    ValueTask<IoResult> ReceiveAsync(NativeBuffer buffer, int offset, TimeSpan timeout);

    /// <summary>During the handshake: sends all of it within the time limit.</summary>
    ValueTask<IoResult> SendAllAsync(NativeBuffer buffer, int offset, int length, TimeSpan timeout);

    /// <summary>The handshake is over: bytes are moved from the next turn on.</summary>
    /// <param name="tunnel">Whose records they are.</param>
    /// <param name="received">Bytes that came behind the last handshake record; owned by the transport from now on.</param>
    /// <param name="receivedBytes">How many.</param>
    void Start(HboneConnection tunnel, NativeBuffer? received, int receivedBytes);

    /// <summary>Takes records from the tunnel when this turn ends.</summary>
    void Schedule();

    /// <summary>Takes them now, as far as there is room: last words.</summary>
    void Flush();

    /// <summary>Ends the transport behind <paramref name="lastRecord"/>, which may be empty and leaves only if there is room for it.</summary>
    void Close(ReadOnlySpan<byte> lastRecord);

    /// <summary>The same for a tunnel that has said everything, where the peer may still be reading: nothing of it may be lost. <paramref name="gone"/> is called once, when the transport has closed.</summary>
    void Finish(ReadOnlySpan<byte> lastRecord, Action gone);
}
