using System.Net.Sockets;
using Ztunnel.Dns.Messages;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;

namespace Ztunnel.Dns.Names;

/// <summary>What the mesh says to a query; the words are those of the log (data-path 7.7).</summary>
internal enum MeshVerdict
{
    /// <summary>The mesh does not know the name, or not records of that type: somebody else answers.</summary>
    NotOurs,
    Success,
    NoRecords,
    UnsupportedFamily,
}

/// <summary>An answer from the mesh: data-path 7.3, as a pure function of the snapshot and the query.</summary>
/// <param name="Verdict">How it ended.</param>
/// <param name="Length">Bytes of the answer; 0 when it is not ours.</param>
/// <param name="Records">Address records found, whether or not they all fit.</param>
internal readonly record struct MeshAnswer(MeshVerdict Verdict, int Length = 0, int Records = 0)
{
    // Short, since the mesh changes; as the reference does.
    private const uint Ttl = 30;

    // More than the records of one message can be.
    private const int MostAddressBytes = 64 * 1024;

    /// <param name="mesh">The world of this decision.</param>
    /// <param name="client">The pod that asks.</param>
    /// <param name="query">A look-up with one question.</param>
    /// <param name="name">The name asked for, lower case.</param>
    /// <param name="output">Room for the answer, and behind it for the addresses while they are gathered: <see cref="OutputBytes"/>.</param>
    /// <param name="limit">The largest answer the client can take.</param>
    public static MeshAnswer Create(MeshSnapshot mesh, DnsClient client, DnsQuery query, ReadOnlySpan<char> name, Span<byte> output, int limit)
    {
        if (query.Type is not (RecordType.A or RecordType.Aaaa))
            return default;
        NameMatch match = NameMatcher.Find(mesh, client.Names, name);
        if (match.Service is not { } service)
            return default;

        bool isIPv6 = query.Type == RecordType.Aaaa;
        if (isIPv6 ? !client.IPv6Enabled || service.IpFamilies == IpFamilies.IPv4 : service.IpFamilies == IpFamilies.IPv6)
            return new MeshAnswer(MeshVerdict.UnsupportedFamily, new AnswerWriter(output, query, limit).Complete(isAuthoritative: true));

        Span<byte> addresses = output[^MostAddressBytes..];
        int addressBytes = isIPv6 ? 16 : 4;
        int bytes = ServiceAddresses.Collect(mesh, match, client.Workload.Network, isIPv6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, addresses);
        if (bytes == 0)
            return new MeshAnswer(MeshVerdict.NoRecords, new AnswerWriter(output, query, limit).Complete(isAuthoritative: true));

        addresses = addresses[..bytes];
        ServiceAddresses.Shuffle(addresses, addressBytes, client.Random);
        var writer = new AnswerWriter(output[..^MostAddressBytes], query, limit);
        int strippedBytes = match.NeedsCname ? match.StrippedLength + 1 : 0; // each dot stands for a length byte, and the first label has one too
        if (strippedBytes > 0)
            writer.Cname(strippedBytes, Ttl);
        writer.Addresses(addresses, addressBytes, strippedBytes, Ttl);
        return new MeshAnswer(MeshVerdict.Success, writer.Complete(isAuthoritative: true), bytes / addressBytes);
    }

    /// <summary>What <see cref="Create"/> needs to write into.</summary>
    public const int OutputBytes = (64 * 1024) + MostAddressBytes;
}

/// <summary>The pod that asks, as answers need it.</summary>
internal sealed record DnsClient(Workload Workload, ClientNames Names, bool IPv6Enabled, Random Random);
