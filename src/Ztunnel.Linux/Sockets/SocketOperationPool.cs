using Ztunnel.Linux.Loop;

namespace Ztunnel.Linux.Sockets;

/// <summary>A loop's unused operations: as many as connections were ever being set up at once on it, within a limit.</summary>
internal sealed class SocketOperationPool(EventLoop loop)
{
    // What a burst of handshakes leaves behind: some 200 bytes each.
    private const int KeptOperations = 256;

    private SocketOperation? _free;
    private int _count;

    public EventLoop Loop { get; } = loop;

    public SocketOperation Take()
    {
        if (_free is not { } operation)
        {
            return new SocketOperation(this, Loop);
        }

        _free = operation.NextFree;
        operation.NextFree = null;
        _count--;
        return operation;
    }

    public void Put(SocketOperation operation)
    {
        if (_count < KeptOperations)
        {
            operation.NextFree = _free;
            _free = operation;
            _count++;
        }
    }
}
