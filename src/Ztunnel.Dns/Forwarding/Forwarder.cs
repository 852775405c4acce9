using System.Diagnostics;
using System.Net;
using Ztunnel.Dns.Messages;
using Ztunnel.Dns.Serving;
using Ztunnel.Dns.Telemetry;
using Ztunnel.Linux;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Dns.Forwarding;

/// <summary>
/// Sends what the mesh does not answer to the resolvers, from marked sockets of the pod's namespace, and brings the answers back (data-path 7.6).
/// One resolver at a time; after a second without an answer the next one too, and the first valid answer wins. One pod on one loop; loop thread only.
/// </summary>
internal sealed class Forwarder
{
    // Of one pod on one loop. A resolver that hangs holds each query for ten seconds: more than a hundred a second then get a refusal.
    internal const int MostInFlight = 1024;

    private const int SocketsForServer = 8;
    private const int WaitingForAnotherSocket = 24;
    private const int UsesOfSocket = 512;
    private const int KeptQueries = 256;

    private static readonly TimeSpan PatienceBeforeNext = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan IdleSockets = TimeSpan.FromSeconds(10);

    private readonly DnsLoop _home;
    private readonly SocketFactory _sockets;
    private readonly List<UpstreamSocket> _retired = [];
    private readonly Stack<ForwardedQuery> _spare = [];
    private readonly HashSet<ForwardedQuery> _inFlight = [];
    private readonly QueryIds _ids = new();
    private readonly TcpExchange _tcp;
    private readonly LoopTimer _idle;
    private ResolverConfiguration _resolver = new();
    private UpstreamServers _servers = new([]);
    private List<UpstreamSocket>[] _open = [];
    private bool _isClosed;
    private bool _usedSinceSweep;

    public Forwarder(DnsLoop home, SocketFactory sockets)
    {
        _home = home;
        _sockets = sockets;
        _tcp = new TcpExchange(home.Loop, sockets);
        _idle = new LoopTimer(home.Loop, static state => ((Forwarder)state!).CloseIdle(), this);
    }

    public EventLoop Loop => _home.Loop;

    /// <summary>Starts; the client hears from us later, whatever comes of it.</summary>
    public void Start(DnsQuery query, ReplyTo client, DnsLabels labels)
    {
        long started = Stopwatch.GetTimestamp();
        FollowConfiguration();
        if (_isClosed || _servers.Count == 0 || _inFlight.Count >= MostInFlight)
        {
            Refuse(query, client, labels);
            return;
        }

        ForwardedQuery forwarded = _spare.TryPop(out ForwardedQuery? spare) ? spare : new ForwardedQuery(this) { Owner = this };
        TimeSpan limit = _resolver.Timeout * _resolver.Attempts;
        forwarded.Set(query, client, labels, started, Loop.NowMilliseconds + (long)limit.TotalMilliseconds);
        _inFlight.Add(forwarded);
        Try(forwarded);
    }

    /// <summary>A resolver's answer, id and question compared; it is in the loop's receive buffer.</summary>
    public void OnAnswer(ForwardedQuery query, UpstreamSocket from, Span<byte> buffer, int length)
    {
        DnsHeader.TryRead(buffer, out DnsHeader header);
        bool isRefusal = header.Code is ResponseCode.ServFail or ResponseCode.Refused or ResponseCode.NotImp;
        if (isRefusal && (CanTryAnother(query) || query.Outstanding > 1))
        {
            OnAttemptFailed(query, from);
            return;
        }

        // Those who were asked before had a second more, and said nothing.
        query.Withdraw(from);
        query.WithdrawAll(Loop.NowMilliseconds);
        if (!isRefusal)
            from.Answered();
        query.Timer.Cancel();
        if (header.IsTruncated && query.Client.IsStream)
        {
            _ = FetchOverTcpAsync(query, from.Address);
            return;
        }

        Deliver(query, buffer, length);
    }

    /// <summary>This resolver will not answer this query usefully.</summary>
    public void OnAttemptFailed(ForwardedQuery query, UpstreamSocket from)
    {
        from.Failed(Loop.NowMilliseconds);
        query.Withdraw(from);
        if (query.Outstanding == 0)
            Try(query);
    }

    public void OnTimer(ForwardedQuery query)
    {
        if (Loop.NowMilliseconds < query.DeadlineMilliseconds)
        {
            Try(query);
            return;
        }

        query.WithdrawAll(Loop.NowMilliseconds);
        Fail(query, "request timed out");
    }

    /// <summary>Closes all sockets. Queries on their way get no answer: the pod is leaving.</summary>
    public void Close()
    {
        _isClosed = true;
        _idle.Cancel();
        foreach (ForwardedQuery query in _inFlight)
            query.Timer.Cancel();
        _inFlight.Clear();
        foreach (UpstreamSocket socket in _open.SelectMany(static list => list).Concat(_retired))
            socket.Close();
    }

    private int AttemptsOf => Math.Min(ForwardedQuery.MostAttempts, _resolver.Attempts * _servers.Count);

    private bool CanTryAnother(ForwardedQuery query) => query.Attempts < Math.Min(AttemptsOf, _servers.Count);

    // Sockets towards the resolvers of before serve what waits on them and no more.
    private void FollowConfiguration()
    {
        ResolverConfiguration current = _home.Context.Resolver.Current;
        if (ReferenceEquals(current, _resolver))
            return;
        UpstreamSocket[] former = [.. _open.SelectMany(static list => list)];
        _resolver = current;
        _servers = new UpstreamServers(current.Servers);
        _open = [.. current.Servers.Select(static _ => new List<UpstreamSocket>())];
        foreach (UpstreamSocket socket in former)
            Retire(socket);
    }

    private void Try(ForwardedQuery query)
    {
        while (query.Attempts < AttemptsOf)
        {
            int server = query.BeginAttempt(_servers, Loop.NowMilliseconds);
            if (SocketFor(server) is { } socket && socket.TrySend(query, _ids, out ushort id))
            {
                query.Sent(socket, id);
                Wait(query);
                return;
            }

            _servers.Failed(server, Loop.NowMilliseconds);
        }

        if (query.Outstanding == 0)
            Fail(query, "no resolver can be reached");
        else
            Wait(query);
    }

    private void Wait(ForwardedQuery query)
    {
        TimeSpan rest = TimeSpan.FromMilliseconds(query.DeadlineMilliseconds - Loop.NowMilliseconds);
        query.Timer.Arm(query.Attempts < AttemptsOf && PatienceBeforeNext < rest ? PatienceBeforeNext : rest);
    }

    // Among the open ports of this resolver a random one; another port is opened while many wait.
    private UpstreamSocket? SocketFor(int server)
    {
        _usedSinceSweep = true;
        if (!_idle.IsArmed)
            _idle.Arm(IdleSockets);
        List<UpstreamSocket> open = _open[server];
        if (open.Count > 0)
        {
            int at = _ids.Next() % open.Count;
            UpstreamSocket socket = open[at];
            if (socket.Uses >= UsesOfSocket)
            {
                open.RemoveAt(at);
                Retire(socket);
            }
            else if (socket.Waiting < WaitingForAnotherSocket || open.Count >= SocketsForServer)
            {
                return socket;
            }
        }

        try
        {
            if (UpstreamSocket.Open(this, _sockets, _servers, server) is not { } opened)
                return null;
            open.Add(opened);
            return opened;
        }
        catch (LinuxException failure)
        {
            DnsLog.UpstreamSocketFailed(_home.Context.ServerLog, failure.Message, _home.Span);
            return null;
        }
    }

    private void Retire(UpstreamSocket socket)
    {
        if (socket.Waiting == 0)
            socket.Close();
        else
            _retired.Add(socket);
        for (int index = _retired.Count - 1; index >= 0; index--)
        {
            if (_retired[index].Waiting > 0)
                continue;
            _retired[index].Close();
            _retired.RemoveAt(index);
        }
    }

    // A quiet pod keeps no sockets.
    private void CloseIdle()
    {
        if (_usedSinceSweep || _inFlight.Count > 0)
        {
            _usedSinceSweep = false;
            _idle.Arm(IdleSockets);
            return;
        }

        foreach (List<UpstreamSocket> open in _open)
        {
            foreach (UpstreamSocket socket in open)
                socket.Close();
            open.Clear();
        }

        foreach (UpstreamSocket socket in _retired)
            socket.Close();
        _retired.Clear();
    }

    private async Task FetchOverTcpAsync(ForwardedQuery query, IPEndPoint server)
    {
        DnsHeader.SetId(query.Message, _ids.Next());
        TcpAnswer answer = await _tcp.AskAsync(query, server);
        try
        {
            if (_isClosed)
                return;
            if (answer.Buffer is { } buffer)
                Deliver(query, buffer.Span[TcpExchange.LengthBytes..], answer.Length);
            else
                Fail(query, answer.Error);
        }
        finally
        {
            if (answer.Buffer is { } buffer)
                Loop.Buffers.Return(buffer);
        }
    }

    private void Deliver(ForwardedQuery query, Span<byte> answer, int length)
    {
        DnsHeader.SetId(query.Message, query.ClientId);
        UpstreamAnswer.Adapt(answer, query.Message, query.QuestionEnd);
        DnsHeader.TryRead(answer, out DnsHeader header);
        if (!query.Client.IsStream && length > query.UdpLimit)
            length = UpstreamAnswer.Truncate(answer, query.QuestionEnd);

        bool isFailure = header.Code is not (ResponseCode.NoError or ResponseCode.NXDomain);
        Record(query, isFailure);
        if (isFailure)
            _home.LogResult(query.Type, query.Name, "forwarding failed", ErrorText(header.Code));
        else
            _home.LogResult(query.Type, query.Name, "forwarded", header.Answers);
        ReplyTo client = query.Client;
        Release(query);
        client.Send(answer[..length]);
    }

    private void Fail(ForwardedQuery query, string reason)
    {
        Record(query, isFailure: true);
        _home.LogResult(query.Type, query.Name, "forwarding failed", reason);
        DnsHeader.SetId(query.Message, query.ClientId);
        ReplyTo client = query.Client;
        Span<byte> answer = Loop.SendScratch.Span;
        int length = DnsQuery.Read(query.Message, out DnsQuery parsed) == QueryVerdict.Accepted ? AnswerWriter.WriteError(answer, parsed, ResponseCode.ServFail) : 0;
        Release(query);
        client.Send(answer[..length]);
    }

    private void Refuse(DnsQuery query, ReplyTo client, DnsLabels labels)
    {
        bool isFull = _servers.Count > 0;
        _home.Context.Metrics.Forwarded(Loop.Index, labels, TimeSpan.Zero, failed: true);
        _home.LogResult(query.Type, query.Name, "forwarding failed", isFull ? "too many queries wait for an answer" : "resolv.conf names no server");
        Span<byte> answer = Loop.SendScratch.Span;
        client.Send(answer[..AnswerWriter.WriteError(answer, query, isFull ? ResponseCode.Refused : ResponseCode.ServFail)]);
    }

    private static string ErrorText(ResponseCode code) => code switch
    {
        ResponseCode.FormErr => "error response: FORMERR",
        ResponseCode.ServFail => "error response: SERVFAIL",
        ResponseCode.NotImp => "error response: NOTIMP",
        ResponseCode.Refused => "error response: REFUSED",
        _ => "error response",
    };

    private void Record(ForwardedQuery query, bool isFailure) =>
        _home.Context.Metrics.Forwarded(Loop.Index, query.Labels, Stopwatch.GetElapsedTime(query.StartedTimestamp), isFailure);

    private void Release(ForwardedQuery query)
    {
        query.Reset();
        _inFlight.Remove(query);
        if (_spare.Count < KeptQueries)
            _spare.Push(query);
    }
}
