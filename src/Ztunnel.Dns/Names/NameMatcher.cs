using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;

namespace Ztunnel.Dns.Names;

/// <summary>
/// Finds the service a client means by a name (data-path 7.4). A name is tried as it is, then completed as Kubernetes does, then the same without each search domain it ends in;
/// every such alias as it is, then with leading labels replaced by a star. One hash look-up each, nothing is allocated.
/// </summary>
internal static class NameMatcher
{
    /// <summary>What a query may ask for, and the longest namespace and domain behind it.</summary>
    private const int LongestAlias = 1024;

    /// <param name="mesh">The world of this decision.</param>
    /// <param name="client">Whose names these are.</param>
    /// <param name="name">Lower case, without the final dot.</param>
    public static NameMatch Find(MeshSnapshot mesh, ClientNames client, ReadOnlySpan<char> name)
    {
        if (name.IsEmpty || name.Length + client.LongestSuffix > LongestAlias)
            return default;

        var search = new Search(mesh, client, name, stackalloc char[LongestAlias]);
        if (search.TryBase(name.Length, out NameMatch match))
            return match;
        for (int index = 0; index < client.SearchDomains.Count; index++)
        {
            string domain = client.SearchDomains[index];
            int stripped = name.Length - domain.Length - 1;
            if (stripped > 0 && name[stripped] == '.' && name.EndsWith(domain, StringComparison.Ordinal) && search.TryBase(stripped, out match))
                return match with { StrippedLength = stripped };
        }

        return default;
    }

    private readonly ref struct Search(MeshSnapshot mesh, ClientNames client, ReadOnlySpan<char> name, Span<char> buffer)
    {
        private readonly MeshSnapshot _mesh = mesh;
        private readonly ClientNames _client = client;
        private readonly ReadOnlySpan<char> _name = name;
        private readonly Span<char> _buffer = buffer;

        /// <summary>The first <paramref name="length"/> characters, and what Kubernetes makes of them.</summary>
        public bool TryBase(int length, out NameMatch match)
        {
            ReadOnlySpan<char> text = _name[..length];
            if (TryAlias(text, null, out match))
                return true;
            bool endsInSvc = text.EndsWith(".svc", StringComparison.Ordinal);
            return text.Count('.') switch
            {
                0 => TryAlias(text, _client.NamespaceDomain, out match),
                1 => TryAlias(text, _client.ServiceDomain, out match) || TryAlias(text, _client.NamespaceDomain, out match),
                2 => (endsInSvc && TryAlias(text, _client.ClusterDomain, out match)) || TryAlias(text, _client.ServiceDomain, out match),
                3 => endsInSvc && TryAlias(text, _client.ClusterDomain, out match),
                _ => false,
            };
        }

        private bool TryAlias(ReadOnlySpan<char> text, string? domain, out NameMatch match)
        {
            text.CopyTo(_buffer);
            int length = text.Length;
            if (domain is not null)
            {
                _buffer[length++] = '.';
                domain.CopyTo(_buffer[length..]);
                length += domain.Length;
            }

            Span<char> alias = _buffer[..length];
            match = new NameMatch(Find(alias));
            return match.Service is not null || TryPod(alias, out match) || TryWildcards(alias, out match);
        }

        // a.b.c: *.b.c, then *.c. The star takes the place of the last character before the dot; what stood there is not needed any more.
        private bool TryWildcards(Span<char> alias, out NameMatch match)
        {
            match = default;
            for (int dot = alias.IndexOf('.'); dot > 0;)
            {
                alias[dot - 1] = '*';
                match = new NameMatch(Find(alias[(dot - 1)..]));
                if (match.Service is not null)
                    return true;
                int next = alias[(dot + 1)..].IndexOf('.');
                dot = next < 0 ? -1 : dot + 1 + next;
            }

            return false;
        }

        // pod.service.ns.svc.cluster.local: an endpoint of a headless service by its own name, as members of a StatefulSet find each other.
        private bool TryPod(ReadOnlySpan<char> alias, out NameMatch match)
        {
            match = default;
            int dot = alias.IndexOf('.');
            if (dot <= 0 || !alias.EndsWith(_client.ClusterSuffix, StringComparison.Ordinal) || Find(alias[(dot + 1)..]) is not { Vips.IsEmpty: true } service
                || _mesh.FindEndpoints(service.Key) is not { } endpoints)
                return false;
            for (int index = 0; index < endpoints.Count; index++)
            {
                if (!endpoints.TryGetIncluded(index, out Workload? pod) || !alias[..dot].SequenceEqual(pod.NameSpan))
                    continue;
                match = new NameMatch(service, pod);
                return true;
            }

            return false;
        }

        private Service? Find(ReadOnlySpan<char> hostname) => _mesh.FindServiceForDns(hostname, _client.Namespace, _client.PreferredNamespace, _client.ClusterSuffix);
    }
}
