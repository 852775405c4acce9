using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.State;

/// <summary>Which of several services with one VIP or hostname a client means (control-path 5.5).</summary>
internal static class ServiceRanking
{
    /// <summary>The client's namespace, then canonical, then the preferred namespace; among equals the first by name, so that every node decides alike (W-9).</summary>
    public static bool IsBetter(Service candidate, Service? than, string? clientNamespace, string? preferredNamespace = null)
    {
        if (than is null) return true;
        int difference = Rank(candidate, clientNamespace, preferredNamespace) - Rank(than, clientNamespace, preferredNamespace);
        if (difference != 0) return difference > 0;

        int order = string.CompareOrdinal(candidate.Namespace, than.Namespace);
        return order != 0 ? order < 0 : string.CompareOrdinal(candidate.Hostname, than.Hostname) < 0;
    }

    private static int Rank(Service service, string? clientNamespace, string? preferredNamespace)
    {
        if (service.Namespace == clientNamespace) return 3;
        if (service.Canonical) return 2;
        return preferredNamespace is not null && service.Namespace == preferredNamespace ? 1 : 0;
    }
}
