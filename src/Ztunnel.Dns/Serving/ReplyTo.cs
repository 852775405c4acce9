using Ztunnel.Linux.Sockets;

namespace Ztunnel.Dns.Serving;

/// <summary>Who waits for an answer: the sender of a datagram, or a connection.</summary>
internal readonly struct ReplyTo
{
    private readonly UdpSocket? _socket;
    private readonly NativeAddress _sender;
    private readonly LocalAddress _askedAt;
    private readonly StreamClient? _stream;

    public ReplyTo(UdpSocket socket, in DatagramResult question)
    {
        _socket = socket;
        _sender = question.Sender;
        _askedAt = question.Destination;
    }

    public ReplyTo(StreamClient stream) => _stream = stream;

    public bool IsStream => _stream is not null;

    /// <summary>Sends an answer if the client is still there; an empty one only ends the waiting. A datagram that cannot leave is lost, as any other: source port 0 and broadcast addresses end here too.</summary>
    public void Send(ReadOnlySpan<byte> answer)
    {
        if (_stream is not null)
            _stream.Complete(answer);
        else if (_socket is { IsClosed: false } && !answer.IsEmpty)
            _socket.SendTo(answer, _sender, _askedAt);
    }
}
