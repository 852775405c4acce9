namespace Ztunnel.Linux.Sockets;

/// <summary>What a socket tells its owner, on the loop's thread. Each call means a change: readiness that is still remembered is not repeated.</summary>
public interface ISocketHandler
{
    /// <summary>There is something to read, or the peer has ended its direction, or the connection broke. Reading tells which.</summary>
    public void OnReadable();

    /// <summary>A send that would have blocked may be tried again.</summary>
    public void OnWritable();

    /// <summary>Once: both directions have ended, or the connection broke. Bytes may still be waiting to be read; an ordinary close of both sides arrives here too.</summary>
    public void OnHangup();
}
