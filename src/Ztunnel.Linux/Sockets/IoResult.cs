namespace Ztunnel.Linux.Sockets;

/// <summary>How one read or write ended.</summary>
public enum IoStatus
{
    /// <summary>At least one byte was moved.</summary>
    Done,

    /// <summary>Nothing now; the socket's handler is told when to try again.</summary>
    WouldBlock,

    /// <summary>The peer sends nothing more.</summary>
    EndOfStream,

    /// <summary>The connection is broken, or a time limit passed (ETIMEDOUT), or the socket was closed meanwhile (ECANCELED).</summary>
    Failed,
}

/// <summary>What one read or write came to. Ordinary endings are values, not exceptions.</summary>
public readonly record struct IoResult(IoStatus Status, int Bytes, Errno Error)
{
    public static IoResult WouldBlock => new(IoStatus.WouldBlock, 0, Errno.None);

    public static IoResult EndOfStream => new(IoStatus.EndOfStream, 0, Errno.None);

    public bool IsDone => Status == IoStatus.Done;

    public static IoResult Moved(int bytes) => new(IoStatus.Done, bytes, Errno.None);

    public static IoResult Failed(Errno error) => new(IoStatus.Failed, 0, error);
}

/// <summary>A connected socket, or why there is none. With <paramref name="IsTimeout"/> the limit given for the attempt passed; the same number can also come from the network.</summary>
public readonly record struct ConnectResult(LoopSocket? Socket, Errno Error, bool IsTimeout = false);

/// <summary>Where a redirected connection was going before the packet filter changed it; or the kernel's answer when it knows nothing of the connection.</summary>
public readonly record struct OriginalDestinationResult(System.Net.IPEndPoint? EndPoint, Errno Error);
