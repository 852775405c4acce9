using Microsoft.Extensions.Logging;
using Ztunnel.Dns.Forwarding;
using Ztunnel.Dns.Messages;
using Ztunnel.Dns.Names;
using Ztunnel.Dns.Telemetry;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;
using Ztunnel.Telemetry.Logging;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Dns.Serving;

/// <summary>
/// DNS of one pod on one event loop: decides for each message whether the mesh answers, at once and without allocation, or a resolver does, later (data-path 7.3). Loop thread only.
/// </summary>
internal sealed class DnsLoop
{
    /// <summary>The answer comes by <see cref="ReplyTo.Send"/>.</summary>
    public const int Later = -1;

    // Queries that came before the control plane told us what there is, and who the pod is.
    private const int MostUnknown = 1024;
    private const int MostStreams = 256;

    private static readonly TimeSpan WorkloadArrival = TimeSpan.FromSeconds(5); // data-path 7.2

    private readonly DnsProxy _proxy;
    private readonly Forwarder _forwarder;
    private readonly List<DatagramService> _datagrams = [];
    private readonly HashSet<StreamClient> _streams = [];
    private readonly Random _random = new();
    private QueryLabels _labels;
    private DnsClient? _client;
    private MeshSnapshot? _clientOf;
    private ResolverConfiguration? _resolverOf;
    private int _unknown;

    public DnsLoop(DnsProxy proxy, EventLoop loop)
    {
        _proxy = proxy;
        Loop = loop;
        _forwarder = new Forwarder(this, proxy.Sockets);
        _labels = new QueryLabels(null);
    }

    public EventLoop Loop { get; }

    public DnsContext Context => _proxy.Context;

    public LogSpan? Span => _proxy.Span;

    public void Serve(UdpSocket socket) => _datagrams.Add(new DatagramService(this, socket));

    public void Serve(LoopSocket socket)
    {
        if (_streams.Count >= MostStreams)
            socket.Dispose();
        else
            _streams.Add(new StreamClient(this, socket));
    }

    public void Forget(StreamClient stream) => _streams.Remove(stream);

    public void Close()
    {
        foreach (DatagramService service in _datagrams)
            service.Close();
        foreach (StreamClient stream in _streams.ToArray())
            stream.Close();
        _forwarder.Close();
    }

    /// <summary>The length of the answer, which is in the loop's send buffer; 0 for none, or <see cref="Later"/>.</summary>
    public int Answer(ReadOnlySpan<byte> message, ReplyTo client, out Span<byte> answer)
    {
        answer = Loop.SendScratch.Span[..MeshAnswer.OutputBytes];
        switch (DnsQuery.Read(message, out DnsQuery query))
        {
            case QueryVerdict.Drop:
                return 0;
            case QueryVerdict.Malformed:
                return AnswerWriter.WriteError(answer, query, ResponseCode.FormErr);
            case QueryVerdict.NotImplemented:
                DnsLog.OpcodeNotImplemented(Context.HandlerLog, query.Header.Opcode, Span);
                return AnswerWriter.WriteError(answer, query, ResponseCode.NotImp);
            case QueryVerdict.NotOneQuestion:
                return AnswerWriter.WriteError(answer, query, ResponseCode.ServFail);
            default:
                break;
        }

        MeshSnapshot mesh = Context.Mesh.Current;
        if (Context.Mesh.FirstSync.IsCompleted && TryIdentify(mesh))
            return Answer(mesh, query, client, answer);
        // What is missing comes from the control plane, which whoever fetches it may have to find first: in dedicated mode that is this process, and its queries are captured, too.
        return ControlPlaneNames.Hold(Context.Settings.ControlPlaneHosts, query.Name) ? Answer(mesh: null, query, client, answer) : Defer(query, client, answer);
    }

    public void LogResult(ushort type, ReadOnlySpan<byte> name, string result, int records)
    {
        if (Context.Log.IsEnabled(LogLevel.Debug))
            DnsLog.QueryAnswered(Context.Log, new QueryLogEntry(_client?.Workload, type, WireName.Describe(name), result, records));
    }

    public void LogResult(ushort type, ReadOnlySpan<byte> name, string result, string reason)
    {
        if (Context.Log.IsEnabled(LogLevel.Debug))
            DnsLog.QueryAnswered(Context.Log, new QueryLogEntry(_client?.Workload, type, WireName.Describe(name), $"{result} ({reason})", 0));
    }

    // From the resolvers alone where there is no mesh to ask.
    private int Answer(MeshSnapshot? mesh, DnsQuery query, ReplyTo client, Span<byte> answer)
    {
        DnsLabels labels = _labels.Find(query.Type, client.IsStream);
        Context.Metrics.Requested(Loop.Index, labels);
        if (mesh is not null && query.IsLookup && TryAnswer(mesh, query, client, answer, out int length))
            return length;
        _forwarder.Start(query, client, labels);
        return Later;
    }

    private bool TryAnswer(MeshSnapshot mesh, DnsQuery query, ReplyTo client, Span<byte> answer, out int length)
    {
        length = 0;
        Span<char> text = stackalloc char[WireName.LongestBytes];
        if (!WireName.TryReadText(query.Name, text, out int characters))
            return false;

        int limit = client.IsStream ? ushort.MaxValue : query.UdpLimit;
        MeshAnswer found = MeshAnswer.Create(mesh, _client!, query, text[..characters], answer, limit);
        length = found.Length;
        switch (found.Verdict)
        {
            case MeshVerdict.Success:
                LogResult(query.Type, query.Name, "success", found.Records);
                return true;
            case MeshVerdict.NoRecords:
                LogResult(query.Type, query.Name, "no records", 0);
                return true;
            case MeshVerdict.UnsupportedFamily:
                LogResult(query.Type, query.Name, "service does not support this record type", 0);
                return true;
            default:
                length = SpecialNames.Answer(query, text[..characters], answer, limit);
                if (length > 0)
                    LogResult(query.Type, query.Name, "answered for this machine alone", 0);
                return length > 0;
        }
    }

    // Once for each snapshot and each change of resolv.conf: which workload the pod is, and what follows from it.
    private bool TryIdentify(MeshSnapshot mesh)
    {
        ResolverConfiguration resolver = Context.Resolver.Current;
        bool isSameResolver = ReferenceEquals(resolver, _resolverOf);
        if (ReferenceEquals(mesh, _clientOf) && isSameResolver)
            return _client is not null;

        (_clientOf, _resolverOf) = (mesh, resolver);
        // The agent's word on the pod is enough, as long as it does not matter in which network it is.
        Workload? workload = mesh.FindOrAssume(_proxy.Workload, _client?.Workload);
        if (workload is null || (workload.IsAssumed && !mesh.IsWithin(workload.Network)))
        {
            _client = null;
        }
        else if (!ReferenceEquals(workload, _client?.Workload) || !isSameResolver)
        {
            DnsSettings settings = Context.Settings;
            var names = new ClientNames(workload.Namespace, settings.ClusterDomain, settings.PreferredNamespace, settings.SharesResolverFile ? resolver.SearchDomains : null);
            _client = new DnsClient(workload, names, settings.IPv6Enabled, _random);
            _labels = new QueryLabels(workload);
        }

        return _client is not null;
    }

    private int Defer(DnsQuery query, ReplyTo client, Span<byte> answer)
    {
        if (_unknown >= MostUnknown)
            return AnswerWriter.WriteError(answer, query, ResponseCode.ServFail);
        _unknown++;
        _ = AnswerWhenKnownAsync(query.Message.ToArray(), client);
        return Later;
    }

    private async Task AnswerWhenKnownAsync(byte[] message, ReplyTo client)
    {
        bool isKnown = await IsKnownInTimeAsync();
        _unknown--;
        AnswerDeferred(message, client, isKnown);
    }

    private async Task<bool> IsKnownInTimeAsync()
    {
        try
        {
            await Context.Mesh.FirstSync.WaitAsync(WorkloadArrival, Context.Time);
        }
        catch (TimeoutException)
        {
            return false;
        }

        return await Context.Mesh.WaitForAsync(mesh => mesh.FindLocalWorkload(_proxy.Workload), WorkloadArrival, Context.Time, CancellationToken.None) is not null;
    }

    private void AnswerDeferred(byte[] message, ReplyTo client, bool isKnown)
    {
        Span<byte> answer = Loop.SendScratch.Span[..MeshAnswer.OutputBytes];
        DnsQuery.Read(message, out DnsQuery query);
        MeshSnapshot mesh = Context.Mesh.Current;
        int length;
        if (isKnown && TryIdentify(mesh))
        {
            length = Answer(mesh, query, client, answer);
        }
        else
        {
            Context.Metrics.Requested(Loop.Index, _labels.Find(query.Type, client.IsStream));
            LogResult(query.Type, query.Name, "workload is unknown", 0);
            length = AnswerWriter.WriteError(answer, query, ResponseCode.ServFail);
        }

        if (length != Later)
            client.Send(answer[..length]);
    }
}
