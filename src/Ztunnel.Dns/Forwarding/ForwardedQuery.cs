using Ztunnel.Dns.Messages;
using Ztunnel.Dns.Serving;
using Ztunnel.Linux.Loop;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Dns.Forwarding;

/// <summary>One query on its way to a resolver and back. Used again after <see cref="Reset"/>, so that forwarding allocates nothing at rest.</summary>
internal sealed class ForwardedQuery
{
    public const int MostAttempts = 4;

    private const int UsualBytes = 512;

    private readonly (UpstreamSocket? Socket, ushort Id)[] _attempts = new (UpstreamSocket?, ushort)[MostAttempts];
    private byte[] _message = new byte[UsualBytes];
    private int _length;
    private UpstreamServers? _servers;
    private uint _tried;

    public ForwardedQuery(Forwarder owner) => Timer = new LoopTimer(owner.Loop, static state =>
    {
        var query = (ForwardedQuery)state!;
        query.Owner.OnTimer(query);
    }, this);

    public required Forwarder Owner { get; init; }

    public LoopTimer Timer { get; }

    /// <summary>As the client sent it, but for the id, which changes with each attempt.</summary>
    public Span<byte> Message => _message.AsSpan(0, _length);

    public ushort ClientId { get; private set; }

    public int QuestionEnd { get; private set; }

    public int UdpLimit { get; private set; }

    public ushort Type { get; private set; }

    public ReplyTo Client { get; private set; }

    public DnsLabels Labels { get; private set; } = null!;

    public long StartedTimestamp { get; private set; }

    public long DeadlineMilliseconds { get; private set; }

    public int Attempts { get; private set; }

    /// <summary>Attempts that may still be answered.</summary>
    public int Outstanding { get; private set; }

    public ReadOnlySpan<byte> Name => Message[DnsHeader.Bytes..(QuestionEnd - 4)];

    public void Set(DnsQuery query, ReplyTo client, DnsLabels labels, long startedTimestamp, long deadlineMilliseconds)
    {
        if (query.Message.Length > _message.Length)
            _message = new byte[query.Message.Length];
        query.Message.CopyTo(_message);
        _length = query.Message.Length;
        ClientId = query.Header.Id;
        QuestionEnd = query.QuestionEnd;
        UdpLimit = query.UdpLimit;
        Type = query.Type;
        Client = client;
        Labels = labels;
        StartedTimestamp = startedTimestamp;
        DeadlineMilliseconds = deadlineMilliseconds;
        Attempts = 0;
        _servers = null;
        Outstanding = 0;
    }

    /// <summary>Counts an attempt and chooses its resolver.</summary>
    public int BeginAttempt(UpstreamServers servers, long now)
    {
        Attempts++;
        if (_servers != servers)
            (_servers, _tried) = (servers, 0); // the first attempt, or resolv.conf has changed meanwhile
        return servers.Choose(ref _tried, now);
    }

    public void Sent(UpstreamSocket socket, ushort id)
    {
        _attempts[Attempts - 1] = (socket, id);
        Outstanding++;
    }

    /// <summary>Nothing is expected from this socket any more.</summary>
    public void Withdraw(UpstreamSocket socket)
    {
        for (int index = 0; index < MostAttempts; index++)
        {
            if (_attempts[index].Socket != socket)
                continue;
            socket.Forget(_attempts[index].Id);
            _attempts[index] = default;
            Outstanding--;
        }
    }

    /// <summary>Nothing is expected any more; resolvers that still owe an answer lose their standing.</summary>
    public void WithdrawAll(long now)
    {
        for (int index = 0; index < MostAttempts; index++)
        {
            if (_attempts[index].Socket is not { } socket)
                continue;
            socket.Forget(_attempts[index].Id);
            socket.Failed(now);
            _attempts[index] = default;
        }

        Outstanding = 0;
    }

    public void Reset()
    {
        Timer.Cancel();
        Client = default;
        if (_message.Length > UsualBytes)
            _message = new byte[UsualBytes];
    }
}
