using Ztunnel.Linux.Buffers;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Relay;

namespace Ztunnel.Proxy.Hbone;

/// <summary>The local end of a tunnel's stream: an application's socket, or a tunnel inside this one. Belongs to its <see cref="TunnelStream"/>, which closes it.</summary>
internal interface IStreamEnd
{
    /// <summary>The stream is ready to move bytes. <paramref name="early"/> came before there was an end, and is delivered first.</summary>
    void Start(PendingBytes? early);

    /// <summary>Writes bytes for the tunnel into a batch. Called when it is the stream's turn.</summary>
    /// <param name="writer">The batch.</param>
    /// <param name="limit">What window and quantum allow, at least 1.</param>
    FillResult Fill(ref RecordWriter writer, int limit);

    /// <summary>Takes payload from the tunnel, which lies in the receive buffer only during this call. Reports what left with <see cref="TunnelStream.OnDelivered"/>.</summary>
    void Deliver(NativeBuffer buffer, ReadOnlySpan<PayloadRange> ranges);

    /// <summary>The tunnel brings nothing more. <see cref="TunnelStream.OnEndDelivered"/> follows, when all has left.</summary>
    void OnEndOfStream();

    /// <summary>The stream has ended.</summary>
    /// <param name="outcome">How.</param>
    /// <param name="reset">Not in order: what waits is dropped, and the other side is to see that.</param>
    void Close(in ConnectionOutcome outcome, bool reset);
}

/// <summary>What a stream left behind after its turn.</summary>
internal enum FillResult : byte
{
    /// <summary>Nothing more to send now.</summary>
    Drained,

    /// <summary>There may be more: queue it behind the others.</summary>
    MayHaveMore,

    /// <summary>The batch has no room left: this stream goes first in the next one.</summary>
    BatchFull,

    /// <summary>No more bytes will come: the end is to be passed on.</summary>
    Ended,

    /// <summary>The connection's window is used up, or what is left of it is not for this stream: it goes first when there is more. Never the answer of an <see cref="IStreamEnd"/>.</summary>
    WindowUsedUp,
}
