using Ztunnel.Linux;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.InPod.Zds;

/// <summary>
/// One end of the node agent's socket: whole messages, with descriptors beside them. A thread of its own waits for what comes, one message for each <see cref="ReceiveAsync"/>:
/// a peer that floods fills its own socket buffer and nothing else.
/// </summary>
public sealed class ZdsLink : IAsyncDisposable
{
    // Names in Kubernetes are bounded: the longest request stays below 1 KiB. What is longer is reported, not guessed.
    private const int LongestMessageBytes = 4096;

    // A peer that does not read leaves its answers in the socket's buffer; once that is full it gets so long.
    private static readonly TimeSpan SendLimit = TimeSpan.FromSeconds(5);

    private readonly SeqPacketSocket _socket;
    private readonly SemaphoreSlim _wanted = new(0);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Set before _wanted is released, read by the thread after it was.
    private TaskCompletionSource<ZdsPacket>? _pending;
    private volatile bool _isClosing;

    private ZdsLink(SeqPacketSocket socket)
    {
        _socket = socket;
        new Thread(Read) { IsBackground = true, Name = "ztunnel-zds" }.Start();
    }

    /// <summary>Takes the connected socket over.</summary>
    public static ZdsLink Start(SeqPacketSocket socket) => new(socket);

    /// <summary>The next message, or how the connection ended; one call at a time. It ends at once after <see cref="Shutdown"/>.</summary>
    public Task<ZdsPacket> ReceiveAsync()
    {
        var pending = new TaskCompletionSource<ZdsPacket>(TaskCreationOptions.RunContinuationsAsynchronously);
        _pending = pending;
        _wanted.Release();
        return pending.Task;
    }

    /// <summary>None, or why it was not sent.</summary>
    public Errno Send(ReadOnlySpan<byte> message, params ReadOnlySpan<DescriptorHandle> descriptors) => _socket.Send(message, descriptors, SendLimit);

    /// <summary>Ends both directions: the peer sees the end, and so does whoever waits here.</summary>
    public void Shutdown() => _socket.Shutdown();

    public async ValueTask DisposeAsync()
    {
        if (_isClosing)
            return;
        _isClosing = true;
        _socket.Shutdown();
        _wanted.Release();
        await _ended.Task.ConfigureAwait(false);
        _socket.Dispose();
        _wanted.Dispose();
    }

    private void Read()
    {
        byte[] buffer = new byte[LongestMessageBytes];
        while (true)
        {
            _wanted.Wait();
            if (Interlocked.Exchange(ref _pending, null) is { } pending)
                pending.SetResult(ReceiveOne(buffer));
            else if (_isClosing)
                break;
        }

        _ended.SetResult();
    }

    private ZdsPacket ReceiveOne(byte[] buffer)
    {
        try
        {
            SeqPacketMessage message = _socket.Receive(buffer, TimeSpan.MaxValue);
            return new ZdsPacket(message, buffer.AsSpan(0, message.Result.Bytes).ToArray());
        }
        catch (LinuxException broken)
        {
            return new ZdsPacket(SeqPacketMessage.Broken(broken.Error), []);
        }
    }
}

/// <summary>A received message: its bytes, and the descriptors it owns until they are taken.</summary>
public sealed class ZdsPacket(SeqPacketMessage message, byte[] bytes) : IDisposable
{
    public SeqPacketMessage Message { get; } = message;

    public byte[] Bytes { get; } = bytes;

    /// <summary>False when the connection ended instead.</summary>
    public bool IsMessage => Message.Result.IsDone;

    public void Dispose() => Message.Dispose();
}
