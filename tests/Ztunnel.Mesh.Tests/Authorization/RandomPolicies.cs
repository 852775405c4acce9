using System.Net;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using static Ztunnel.Mesh.Tests.Meshes;

namespace Ztunnel.Mesh.Tests.Authorization;

/// <summary>Policies and connections at random, from so few values that they meet often.</summary>
internal static class RandomPolicies
{
    private static readonly string[] Domains = ["td", "td2"];
    private static readonly string[] Names = ["a", "b", "ab", ""];
    private static readonly string[] Ips = ["10.0.0.1", "10.0.0.2", "10.0.1.1", "192.0.2.1", "fd00::1", "fd00::2"];
    private static readonly int[] Ports = [80, 443, 8080];

    /// <summary>Up to five policies, a workload that lists some of them (and now and then one that does not exist), and what is made of that.</summary>
    public static PolicyCase Case(Random random)
    {
        Policy[] policies = [.. Enumerable.Range(0, random.Next(6)).Select(i => Policy(random, $"p{i}"))];
        ValueArray<string> listed = Some(random, policies.Select(static policy => policy.Key).Append("x/unknown"), 0.3);
        Workload destination = Pod("server", "10.0.0.1", "a").With(traits => traits with { AuthorizationPolicies = listed });
        return new PolicyCase(policies, destination, Connection(random), new PolicySettings { UnknownPolicies = random.Next(2) == 0 ? UnknownPolicyHandling.Skip : UnknownPolicyHandling.FailClosed });
    }

    public static PolicyConnection Connection(Random random)
    {
        var target = new IPEndPoint(IPAddress.Parse(Pick(random, Ips)), Pick(random, Ports));
        return new PolicyConnection(Identity(random), IPAddress.Parse(Pick(random, Ips)), target);
    }

    public static Policy Policy(Random random, string name) => new()
    {
        Name = name,
        Namespace = Pick(random, "a", "b"),
        Scope = (PolicyScope)random.Next(3),
        Action = (PolicyAction)random.Next(2),
        DryRun = random.Next(4) == 0,
        Rules = Many(random, 3, () => new PolicyRule(Many(random, 3, () => new PolicyClause(Many(random, 3, () => Match(random)))))),
    };

    public static PolicyMatch Match(Random random) => new()
    {
        Namespaces = Sometimes(random, () => String(random, () => Pick(random, Names))),
        NotNamespaces = Sometimes(random, () => String(random, () => Pick(random, Names))),
        Principals = Sometimes(random, () => String(random, () => Identity(random)?.ToString()["spiffe://".Length..] ?? "td/")),
        NotPrincipals = Sometimes(random, () => String(random, () => Identity(random)?.ToString()["spiffe://".Length..] ?? "td/")),
        ServiceAccounts = Sometimes(random, () => new ServiceAccountMatch(Pick(random, Names), Pick(random, Names))),
        NotServiceAccounts = Sometimes(random, () => new ServiceAccountMatch(Pick(random, Names), Pick(random, Names))),
        SourceIps = Sometimes(random, () => Prefix(random)),
        NotSourceIps = Sometimes(random, () => Prefix(random)),
        DestinationIps = Sometimes(random, () => Prefix(random)),
        NotDestinationIps = Sometimes(random, () => Prefix(random)),
        DestinationPorts = Sometimes(random, () => (ushort)Pick(random, Ports)),
        NotDestinationPorts = Sometimes(random, () => (ushort)Pick(random, Ports)),
        Unreadable = random.Next(8) == 0 ? (MatchKinds)(1 << random.Next(6)) : MatchKinds.None,
    };

    private static StringMatch String(Random random, Func<string> text) => new((StringMatchKind)random.Next(4), text());

    private static Cidr Prefix(Random random)
    {
        IPAddress address = IPAddress.Parse(Pick(random, Ips));
        return Cidr.Create(address, Pick<int>(random, address.GetAddressBytes().Length == 4 ? [0, 8, 24, 31, 32] : [0, 8, 127, 128]))!;
    }

    private static SpiffeId? Identity(Random random) => random.Next(3) == 0 ? null : new SpiffeId(Pick(random, Domains), Pick(random, Names), Pick(random, Names));

    public static ValueArray<T> Sometimes<T>(Random random, Func<T> make) => random.Next(6) == 0 ? Many(random, 3, make) : default;

    private static ValueArray<T> Many<T>(Random random, int below, Func<T> make) => Enumerable.Range(0, random.Next(below)).Select(_ => make()).ToValueArray();

    public static ValueArray<T> Some<T>(Random random, IEnumerable<T> items, double share) => items.Where(_ => random.NextDouble() < share).ToValueArray();

    public static T Pick<T>(Random random, params T[] items) => items[random.Next(items.Length)];
}
