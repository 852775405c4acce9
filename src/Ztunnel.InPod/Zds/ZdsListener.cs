using System.Threading.Channels;
using Ztunnel.Linux;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.InPod.Zds;

/// <summary>The agent's side of the socket: node proxies connect here, more than one during an upgrade. The socket file is made anew at start and removed at the end.</summary>
public sealed class ZdsListener : IAsyncDisposable
{
    // Two proxies overlap during an upgrade; whoever connects beyond this is turned away.
    private const int MostWaiting = 16;

    private readonly SeqPacketSocket _socket;
    private readonly Channel<ZdsLink> _accepted = Channel.CreateBounded<ZdsLink>(MostWaiting);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ZdsListener(string path, SeqPacketSocket socket)
    {
        Path = path;
        _socket = socket;
        new Thread(Accept) { IsBackground = true, Name = "ztunnel-zds-accept" }.Start();
    }

    public string Path { get; }

    /// <summary>Listens at the path, whose folder is made where it is missing; a file that an earlier agent left there is replaced.</summary>
    /// <exception cref="LinuxException">It cannot be bound.</exception>
    public static ZdsListener Open(string path)
    {
        try
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
            File.Delete(path);
        }
        catch (UnauthorizedAccessException refused)
        {
            throw new IOException(refused.Message, refused);
        }

        return new ZdsListener(path, SeqPacketSocket.Listen(path));
    }

    /// <summary>The next connection, in the order of their coming.</summary>
    public ValueTask<ZdsLink> AcceptAsync(CancellationToken cancellation) => _accepted.Reader.ReadAsync(cancellation);

    public async ValueTask DisposeAsync()
    {
        _socket.Shutdown();
        await _ended.Task.ConfigureAwait(false);
        _socket.Dispose();
        File.Delete(Path);
        while (_accepted.Reader.TryRead(out ZdsLink? unserved))
            await unserved.DisposeAsync().ConfigureAwait(false);
    }

    private void Accept()
    {
        try
        {
            while (_socket.Accept(TimeSpan.MaxValue) is { } connection)
            {
                ZdsLink link = ZdsLink.Start(connection);
                if (!_accepted.Writer.TryWrite(link))
                    link.Shutdown();
            }

            _accepted.Writer.TryComplete();
        }
        catch (LinuxException broken)
        {
            // Told to whoever accepts: there will be no further connection.
            _accepted.Writer.TryComplete(broken);
        }

        _ended.SetResult();
    }
}
