using Google.Protobuf;
using Ztunnel.Istiod.Mesh;
using Ztunnel.Protos.Discovery;

namespace Ztunnel.Istiod.Ads;

/// <summary>istiod's side of one delta ADS stream, without I/O: what to send for a request, and for a change of the mesh (control-path 3.6, 3.8, 3.11; istio-integration 4.3).</summary>
/// <param name="node">NODE_NAME of the client: its workloads come unasked in on-demand mode.</param>
internal sealed class AdsSession(string node)
{
    private static int Nonces;

    private readonly Dictionary<string, Subscription> _subscriptions = new(StringComparer.Ordinal);

    /// <summary>What a request is answered with. An ACK, a NACK and a name that was asked for before get nothing.</summary>
    public IEnumerable<DeltaDiscoveryResponse> OnRequest(DeltaDiscoveryRequest request, MeshResources mesh)
    {
        if (!_subscriptions.TryGetValue(request.TypeUrl, out Subscription? subscription))
        {
            _subscriptions[request.TypeUrl] = subscription = new Subscription(request);
            return [Difference(request.TypeUrl, subscription, mesh, newNames: subscription.Names)];
        }

        foreach (string name in request.ResourceNamesUnsubscribe) subscription.Names.Remove(name);
        List<string> added = [.. request.ResourceNamesSubscribe.Where(subscription.Names.Add)];
        return added.Count == 0 ? [] : [Difference(request.TypeUrl, subscription, mesh, added)];
    }

    /// <summary>The pushes that bring the client to this mesh, addresses first; none where it has everything.</summary>
    public IEnumerable<DeltaDiscoveryResponse> OnMesh(MeshResources mesh)
    {
        foreach (string type in (string[])[MeshResources.AddressUrl, MeshResources.AuthorizationUrl])
        {
            if (!_subscriptions.TryGetValue(type, out Subscription? subscription)) continue;
            DeltaDiscoveryResponse push = Difference(type, subscription, mesh, newNames: []);
            if (push.Resources.Count + push.RemovedResources.Count > 0) yield return push;
        }
    }

    private DeltaDiscoveryResponse Difference(string type, Subscription subscription, MeshResources mesh, IReadOnlyCollection<string> newNames)
    {
        IReadOnlyDictionary<string, Resource> all = mesh.OfType(type);
        HashSet<string> wanted = [.. subscription.IsWildcard ? all.Keys : subscription.Names.SelectMany(mesh.Resolve).Concat(mesh.WorkloadsOf(node))];
        List<Resource> changed = [];
        foreach (string name in wanted)
        {
            Resource resource = all[name];
            if (subscription.Has(resource)) continue;
            subscription.Sent[name] = (resource.Version, resource.Resource_.Value);
            changed.Add(subscription.IsWildcard ? WithoutAliases(resource) : resource);
        }

        string[] gone = [.. subscription.Sent.Keys.Where(name => !wanted.Contains(name))];
        foreach (string name in gone) subscription.Sent.Remove(name);
        // Asked for and not there: said once. Given up but still there, or known under another name: nothing to say.
        HashSet<string> removed = [.. gone.Concat(subscription.IsWildcard ? [] : newNames).Where(name => subscription.IsWildcard || !mesh.Resolve(name).Any())];
        Resource[] order = [.. changed];
        Random.Shared.Shuffle(order);
        return new DeltaDiscoveryResponse
        {
            TypeUrl = type,
            Nonce = $"nonce-{Interlocked.Increment(ref Nonces)}",
            SystemVersionInfo = "stand-in",
            Resources = { order },
            RemovedResources = { removed },
        };
    }

    private static Resource WithoutAliases(Resource resource)
    {
        if (resource.Aliases.Count == 0) return resource;
        Resource copy = resource.Clone();
        copy.Aliases.Clear();
        return copy;
    }

    /// <summary>What a client wants of one type, and what it has.</summary>
    private sealed class Subscription
    {
        public Subscription(DeltaDiscoveryRequest first)
        {
            IsWildcard = first.ResourceNamesSubscribe.Count == 0 || (first.ResourceNamesSubscribe.Contains("*") && !first.ResourceNamesUnsubscribe.Contains("*"));
            if (!IsWildcard) Names.UnionWith(first.ResourceNamesSubscribe.Where(static name => name != "*").Concat(first.InitialResourceVersions.Keys));
            foreach ((string name, string version) in first.InitialResourceVersions) Sent[name] = (version, null);
        }

        public bool IsWildcard { get; }

        public HashSet<string> Names { get; } = new(StringComparer.Ordinal);

        /// <summary>Version and, if it was sent on this stream, content.</summary>
        public Dictionary<string, (string Version, ByteString? Content)> Sent { get; } = new(StringComparer.Ordinal);

        // Without a version nothing can be told about what an earlier stream sent.
        public bool Has(Resource resource) => Sent.TryGetValue(resource.Name, out (string Version, ByteString? Content) sent)
            && (sent.Content is { } content ? content.Equals(resource.Resource_.Value) : resource.Version.Length > 0 && sent.Version == resource.Version);
    }
}
