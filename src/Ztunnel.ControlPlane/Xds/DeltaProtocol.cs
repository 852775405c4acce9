using Ztunnel.ControlPlane.Xds.Translation;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;
using Ztunnel.Protos.Discovery;
using Ztunnel.Protos.Security;
using WireAddress = Ztunnel.Protos.Workloads.Address;

namespace Ztunnel.ControlPlane.Xds;

/// <summary>What one response did.</summary>
/// <param name="Answers">To be sent in this order: first the ACK or NACK.</param>
/// <param name="Rejects">One text for each resource that was refused or only partly understood.</param>
internal sealed record DeltaOutcome(IReadOnlyList<DeltaDiscoveryRequest> Answers, MeshChange? Change, IReadOnlyList<string> Rejects, long PayloadBytes);

/// <summary>Delta ADS as a client speaks it, without I/O: what to send when a stream opens, and what a response does to the mesh and gets as an answer (control-path 3).</summary>
/// <remarks>
/// It outlives streams. The mesh is never cleared: a new stream begins with what is held, and the server sends the difference. Where it cannot be told (the names are too many for one
/// request), the first response of the type is taken as the whole truth and what it does not name is removed.
/// One thread at a time, except for <see cref="Names"/>.
/// </remarks>
internal sealed class DeltaProtocol
{
    // istiod takes requests of 4 MiB; the node and the encoding need room, too (control-path 3.6).
    private const int DefaultMaxNamesBytes = 3584 * 1024;
    private const int SubscribeBatchBytes = 1024 * 1024;
    private const int MaxOnDemandNames = 100_000;
    private const int MaxReasonsInNack = 100;
    private const int InvalidArgument = 3;

    private readonly Node _node;
    private readonly bool _onDemand;
    private readonly MeshStore _store;
    private readonly ResourceTable[] _tables = [new(), new()];
    private readonly bool[] _nextIsWholeTruth = new bool[2];
    private readonly HashSet<ResourceType> _unanswered;   // what first sync still waits for
    private int _maxNamesBytes = DefaultMaxNamesBytes;
    private int _namesBytesSent;
    private int _stream;

    public DeltaProtocol(XdsNodeSettings node, bool onDemand, MeshStore store)
    {
        _node = node.ToNode();
        _onDemand = onDemand;
        _store = store;
        _unanswered = onDemand ? [ResourceType.Authorization] : [.. ResourceTypes.All];
    }

    public OnDemandNames Names { get; } = new(MaxOnDemandNames);

    public int Held(ResourceType type) => Table(type).Count;

    /// <summary>The requests that open a stream, in order.</summary>
    public IReadOnlyList<DeltaDiscoveryRequest> OpenStream()
    {
        _stream++;
        _namesBytesSent = 0;
        List<DeltaDiscoveryRequest> requests = [];
        List<DeltaDiscoveryRequest> subscriptions = [];
        foreach (ResourceType type in ResourceTypes.All) requests.Add(InitialRequest(type, subscriptions));
        return [.. requests, .. subscriptions];
    }

    private DeltaDiscoveryRequest InitialRequest(ResourceType type, List<DeltaDiscoveryRequest> subscriptions)
    {
        ResourceTable table = Table(type);
        DeltaDiscoveryRequest request = new() { Node = _node, TypeUrl = ResourceTypes.Url(type) };
        bool onDemand = _onDemand && type == ResourceType.Address;
        List<string> asked = onDemand ? Names.AskAll(_stream) : [];
        if (onDemand)
        {
            // Subscribed and given up in one message: nothing but what the server thinks this node needs.
            request.ResourceNamesSubscribe.Add("*");
            request.ResourceNamesUnsubscribe.Add("*");
        }

        int bytes = table.EncodedBytes();
        bool fits = bytes <= _maxNamesBytes;
        _nextIsWholeTruth[(int)type] = !fits && !onDemand;
        if (fits)
        {
            _namesBytesSent = Math.Max(_namesBytesSent, bytes);
            foreach (string name in asked) request.InitialResourceVersions[name] = "";
            table.WriteTo(request);
        }
        else if (onDemand)
        {
            subscriptions.AddRange(Subscribe([.. table.Names.Union(asked, StringComparer.Ordinal)]));
        }
        return request;
    }

    private static IEnumerable<DeltaDiscoveryRequest> Subscribe(IReadOnlyList<string> names)
    {
        DeltaDiscoveryRequest? batch = null;
        int bytes = 0;
        foreach (string name in names)
        {
            if (batch is not null && bytes + name.Length > SubscribeBatchBytes)
            {
                yield return batch;
                batch = null;
            }
            if (batch is null) bytes = 0;
            batch ??= new DeltaDiscoveryRequest { TypeUrl = ResourceTypes.Url(ResourceType.Address) };
            batch.ResourceNamesSubscribe.Add(name);
            bytes += name.Length;
        }
        if (batch is not null) yield return batch;
    }

    /// <summary>The requests for names that somebody waits for; none when all have been asked for on this stream. What made room for them is given up first, since it may be among them again.</summary>
    public IReadOnlyList<DeltaDiscoveryRequest> Ask(IReadOnlyList<string> names)
    {
        string[] unasked = [.. names.Where(name => Names.TryAsk(name, _stream))];
        List<DeltaDiscoveryRequest> requests = [];
        if (Names.TakeEvicted() is { Count: > 0 } evicted)
            requests.Add(new DeltaDiscoveryRequest { TypeUrl = ResourceTypes.Url(ResourceType.Address), ResourceNamesUnsubscribe = { evicted } });
        if (unasked.Length > 0)
            requests.Add(new DeltaDiscoveryRequest { TypeUrl = ResourceTypes.Url(ResourceType.Address), ResourceNamesSubscribe = { unasked } });
        return requests;
    }

    /// <summary>The server refused a request because of its size: from now on fewer names are told.</summary>
    public void OnRequestTooLarge() => _maxNamesBytes = Math.Min(_maxNamesBytes, _namesBytesSent - 1);

    /// <summary>Applies a response to the mesh and says what to answer. Readers see the change when this returns.</summary>
    public DeltaOutcome OnResponse(DeltaDiscoveryResponse response)
    {
        DeltaDiscoveryRequest answer = new() { TypeUrl = response.TypeUrl, ResponseNonce = response.Nonce };
        long payloadBytes = response.Resources.Sum(static resource => (long)(resource.Resource_?.Value.Length ?? 0));
        if (ResourceTypes.FromUrl(response.TypeUrl) is not { } type) return new DeltaOutcome([answer], null, [], payloadBytes);

        // Phase 1: translate. A bad resource is left out, what was held under its name before stays.
        ResourceTable table = Table(type);
        MeshUpdate update = new();
        List<string> rejects = [];
        List<Resource> accepted = new(response.Resources.Count);
        if (type == ResourceType.Address) _store.Expect(response.Resources.Count);
        foreach (Resource resource in response.Resources)
        {
            if (TryTranslate(type, table, resource, update, rejects)) accepted.Add(resource);
            // Read: its bytes need not live until the whole response is applied.
            resource.Resource_ = null;
        }
        List<string> removed = [.. response.RemovedResources];
        if (_nextIsWholeTruth[(int)type])
        {
            _nextIsWholeTruth[(int)type] = false;
            HashSet<string> named = [.. response.Resources.Select(static resource => resource.Name)];
            removed.AddRange(table.Names.Where(name => !named.Contains(name)));
        }
        if (type == ResourceType.Address) table.Expect(accepted.Count);
        foreach (Resource resource in accepted) table.Set(resource.Name, resource.Version);
        // A name asked for that does not exist is answered as removed: only what was held is news for the mesh.
        (type == ResourceType.Address ? update.RemovedAddresses : update.RemovedPolicies).AddRange(removed.Where(table.Contains));

        // Phase 2: publish, all of it at once.
        MeshChange change = _store.Apply(update);
        foreach (string name in removed) table.Remove(name);

        // Phase 3: tell whoever waits, now that they can see it. An answer with faults is an answer: what is refused once would be refused again (control-path 12, W-1).
        List<DeltaDiscoveryRequest> answers = [answer];
        if (_onDemand && type == ResourceType.Address) Resolve(accepted, removed, answers);
        if (_unanswered.Remove(type) && _unanswered.Count == 0) _store.MarkSynced();
        if (rejects.Count > 0) answer.ErrorDetail = new Status { Code = InvalidArgument, Message = Join(rejects) };
        return new DeltaOutcome(answers, change, rejects, payloadBytes);
    }

    private bool TryTranslate(ResourceType type, ResourceTable table, Resource resource, MeshUpdate update, List<string> rejects)
    {
        // The same again, as istiod sends all workloads of a service that changed: the version is a hash of the content.
        if (table.IsHeld(resource.Name, resource.Version)) return true;
        try
        {
            if (resource.Resource_ is null) throw new RejectedResourceException("XDS payload without resource");
            if (type == ResourceType.Authorization)
            {
                update.Policies.Add(PolicyTranslator.Translate(ResourceDecoder.Decode(Authorization.Parser, resource.Resource_.Value), out IReadOnlyList<string> problems));
                rejects.AddRange(problems.Select(problem => $"{resource.Name}: {problem}"));
                return true;
            }
            WireAddress address = ResourceDecoder.Decode(WireAddress.Parser, resource.Resource_.Value);
            switch (address.TypeCase)
            {
                case WireAddress.TypeOneofCase.Workload:
                    Workload workload = _store.Share(WorkloadTranslator.Translate(address.Workload));
                    update.Workloads.Add(workload);
                    // The table of names and the mesh keep one string between them, not one each: it is the longest that a workload has.
                    if (resource.Name == workload.Uid) resource.Name = workload.Uid;
                    break;
                case WireAddress.TypeOneofCase.Service: update.Services.Add(ServiceTranslator.Translate(address.Service)); break;
                default: throw new RejectedResourceException("unknown address type");
            }
            return true;
        }
        catch (RejectedResourceException error)
        {
            rejects.Add($"{resource.Name}: {error.Message}");
        }
        return false;
    }

    private void Resolve(List<Resource> accepted, List<string> removed, List<DeltaDiscoveryRequest> answers)
    {
        foreach (Resource resource in accepted) Names.OnPresent(resource.Name, resource.Aliases);
        List<string> givenUp = [];
        foreach (string name in removed) givenUp.AddRange(Names.OnAbsent(name));
        if (givenUp.Count > 0) answers.Add(new DeltaDiscoveryRequest { TypeUrl = ResourceTypes.Url(ResourceType.Address), ResourceNamesUnsubscribe = { givenUp } });
    }

    // The server reads it into one log line and limits requests: beyond some, the number says enough.
    private static string Join(List<string> rejects) => rejects.Count <= MaxReasonsInNack
        ? string.Join("; ", rejects)
        : $"{string.Join("; ", rejects.Take(MaxReasonsInNack))}; and {rejects.Count - MaxReasonsInNack} more";

    private ResourceTable Table(ResourceType type) => _tables[(int)type];
}
