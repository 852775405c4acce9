namespace Ztunnel.Dns.Names;

/// <summary>What short names of a client are completed with: depends on its namespace, the cluster's domain and the search list of its resolver (data-path 7.4).</summary>
internal sealed class ClientNames
{
    public ClientNames(string clientNamespace, string clusterDomain, string? preferredNamespace, IReadOnlyList<string>? searchDomains)
    {
        string domain = clusterDomain.Trim('.').ToLowerInvariant();
        Namespace = clientNamespace;
        PreferredNamespace = preferredNamespace;
        ClusterDomain = domain;
        ServiceDomain = $"svc.{domain}";
        NamespaceDomain = $"{clientNamespace}.svc.{domain}";
        ClusterSuffix = $".svc.{domain}";
        SearchDomains = [.. (searchDomains ?? [NamespaceDomain, ServiceDomain, domain]).Select(static search => search.Trim('.').ToLowerInvariant()).Where(static search => search.Length > 0)];
    }

    public string Namespace { get; }

    public string? PreferredNamespace { get; }

    /// <summary><c>cluster.local</c>.</summary>
    public string ClusterDomain { get; }

    /// <summary><c>svc.cluster.local</c>.</summary>
    public string ServiceDomain { get; }

    /// <summary><c>ns.svc.cluster.local</c>.</summary>
    public string NamespaceDomain { get; }

    /// <summary><c>.svc.cluster.local</c>: the cluster's own services.</summary>
    public string ClusterSuffix { get; }

    /// <summary>Of the client's resolver. In shared mode those that the kubelet writes into a pod, since its file cannot be seen from here.</summary>
    public IReadOnlyList<string> SearchDomains { get; }

    /// <summary>The longest completion, with its dot.</summary>
    public int LongestSuffix => NamespaceDomain.Length + 1;
}
