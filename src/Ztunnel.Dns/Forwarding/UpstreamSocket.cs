using System.Diagnostics.CodeAnalysis;
using System.Net;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Dns.Forwarding;

/// <summary>
/// One UDP socket towards one resolver: connected, so that the kernel passes on what comes from there only and tells when nobody listens; on a port the kernel chose at random.
/// Ids are drawn at random for each query and are unique among those that wait here.
/// </summary>
internal sealed class UpstreamSocket : ISocketHandler, ILoopItem
{
    // Then others of the loop have their turn.
    private const int BatchDatagrams = 64;

    private readonly Forwarder _owner;
    private readonly UdpSocket _socket;
    private readonly UpstreamServers _servers;
    private readonly int _server;
    private readonly Dictionary<ushort, ForwardedQuery> _waiting = [];

    private UpstreamSocket(Forwarder owner, UdpSocket socket, UpstreamServers servers, int server)
    {
        _owner = owner;
        _socket = socket;
        _servers = servers;
        _server = server;
    }

    bool ILoopItem.IsQueued { get; set; }

    /// <summary>The resolver.</summary>
    public IPEndPoint Address => _servers[_server];

    public int Waiting => _waiting.Count;

    /// <summary>Queries that were ever sent from this port: it is given up after some hundreds, so that one that was found out is of little use.</summary>
    public int Uses { get; private set; }

    public bool IsClosed => _socket.IsClosed;

    /// <exception cref="Linux.LinuxException">No socket can be had.</exception>
    public static UpstreamSocket? Open(Forwarder owner, SocketFactory sockets, UpstreamServers servers, int index)
    {
        IPEndPoint server = servers[index];
        var socket = UdpSocket.Attach(owner.Loop, sockets.OpenUdp(server.AddressFamily));
        if (socket.Connect(server) != Errno.None)
        {
            socket.Dispose(); // no route: as good as silent, but known at once
            return null;
        }

        var upstream = new UpstreamSocket(owner, socket, servers, index);
        socket.Handler = upstream;
        return upstream;
    }

    public bool TrySend(ForwardedQuery query, QueryIds ids, out ushort id)
    {
        do
        {
            id = ids.Next();
        }
        while (_waiting.ContainsKey(id));

        Messages.DnsHeader.SetId(query.Message, id);
        Uses++;
        if (_socket.Send(query.Message).Status == IoStatus.Failed)
            return false;
        _waiting.Add(id, query); // also when the kernel had no room: lost, like a datagram on the way
        return true;
    }

    public void Answered() => _servers.Answered(_server);

    public void Failed(long now) => _servers.Failed(_server, now);

    public void Forget(ushort id) => _waiting.Remove(id);

    public void Close() => _socket.Dispose();

    public void OnReadable()
    {
        for (int count = 0; count < BatchDatagrams && !_socket.IsClosed; count++)
        {
            Span<byte> buffer = _owner.Loop.ReceiveScratch.Span;
            DatagramResult datagram = _socket.Receive(buffer);
            switch (datagram.Result.Status)
            {
                case IoStatus.Done when TryTake(buffer[..datagram.Result.Bytes], out ForwardedQuery? query):
                    _owner.OnAnswer(query, this, buffer, datagram.Result.Bytes);
                    break;
                case IoStatus.Done:
                    break; // not an answer to anything asked from here: dropped, and the real one is still waited for
                case IoStatus.Failed:
                    OnRefused();
                    break;
                default:
                    return;
            }
        }

        if (!_socket.IsClosed)
            _owner.Loop.EnqueueReady(this);
    }

    public void OnWritable()
    {
    }

    public void OnHangup() => OnReadable();

    void ILoopItem.Run()
    {
        if (!_socket.IsClosed)
            OnReadable();
    }

    private bool TryTake(ReadOnlySpan<byte> answer, [NotNullWhen(true)] out ForwardedQuery? query)
    {
        query = null;
        return Messages.DnsHeader.TryRead(answer, out Messages.DnsHeader header)
            && _waiting.TryGetValue(header.Id, out query)
            && Messages.UpstreamAnswer.Answers(answer, query.Message, query.QuestionEnd);
    }

    // ICMP: nobody listens there. All that wait here know now.
    private void OnRefused()
    {
        foreach ((ushort id, ForwardedQuery query) in _waiting.ToArray())
        {
            if (_waiting.ContainsKey(id))
                _owner.OnAttemptFailed(query, this);
        }
    }
}
