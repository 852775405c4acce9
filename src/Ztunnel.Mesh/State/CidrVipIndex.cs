using System.Net;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.State;

/// <summary>Services by the prefixes they own: a hash look-up for each prefix length in use, longest first.</summary>
/// <remarks>It holds service records by prefix, never copies with endpoints, so that an endpoint change cannot leave an old copy behind (control-path W-10).</remarks>
internal sealed class CidrVipIndex(HashIndex<Service> services, CidrVipIndex.Length[] lengths)
{
    public static readonly CidrVipIndex Empty = new(HashIndex<Service>.Empty, []);

    /// <summary>The best service whose prefix holds the address: in the client's namespace, then the longest prefix, then canonical.</summary>
    public Service? Find(string network, IPAddress address, string? clientNamespace)
    {
        if (lengths.Length == 0) return null;

        IpBits bits = IpBits.From(address);
        Service? best = null;
        foreach (Length length in lengths)   // longest first, so an equal rank further on is a shorter prefix
        {
            if (length.IsIPv6 != bits.IsIPv6 || length.Network != network) continue;
            if (best is not null && best.Namespace == clientNamespace) break;

            IpBits prefix = bits.Masked(length.Bits);
            Service? candidate = null;
            foreach (Service service in services.Find(Hash(network, prefix, length.Bits)))
            {
                if (!service.IsVisibleTo(clientNamespace) || !Owns(service, network, prefix, length.Bits)) continue;
                if (ServiceRanking.IsBetter(service, candidate, clientNamespace)) candidate = service;
            }
            if (candidate is not null && (best is null || candidate.Namespace == clientNamespace)) best = candidate;
        }
        return best;
    }

    public Builder ToBuilder() => new(services.ToBuilder(), lengths);

    private static int Hash(string network, IpBits prefix, int length) => HashCode.Combine(network, prefix, length);

    private static bool Owns(Service service, string network, IpBits prefix, int length)
    {
        foreach (NetworkCidr vip in service.CidrVips)
        {
            if (vip.Cidr.PrefixLength == length && vip.Network == network && vip.Cidr.Network == prefix) return true;
        }
        return false;
    }

    /// <summary>A prefix length some service uses in a network.</summary>
    internal readonly record struct Length(string Network, bool IsIPv6, int Bits, int Users);

    public sealed class Builder(HashIndex<Service>.Builder services, Length[] lengths)
    {
        private readonly List<Length> _lengths = [.. lengths];

        public void Add(Service service)
        {
            foreach (NetworkCidr vip in Distinct(service))
            {
                services.Add(Hash(vip.Network, vip.Cidr.Network, vip.Cidr.PrefixLength), service);
                Count(vip, +1);
            }
        }

        public void Remove(Service service)
        {
            foreach (NetworkCidr vip in Distinct(service))
            {
                services.Remove(Hash(vip.Network, vip.Cidr.Network, vip.Cidr.PrefixLength), service);
                Count(vip, -1);
            }
        }

        public CidrVipIndex Build() => new(services.Build(), [.. _lengths.OrderByDescending(static length => length.Bits)]);

        // One prefix may be written twice, with different host bits.
        private static IEnumerable<NetworkCidr> Distinct(Service service) =>
            service.CidrVips.IsEmpty ? [] : ((IEnumerable<NetworkCidr>)service.CidrVips).DistinctBy(static vip => (vip.Network, vip.Cidr.Network, vip.Cidr.PrefixLength));

        private void Count(NetworkCidr vip, int change)
        {
            int at = _lengths.FindIndex(length => length.Network == vip.Network && length.IsIPv6 == vip.Cidr.IsIPv6 && length.Bits == vip.Cidr.PrefixLength);
            if (at < 0)
            {
                _lengths.Add(new Length(vip.Network, vip.Cidr.IsIPv6, vip.Cidr.PrefixLength, change));
                return;
            }
            _lengths[at] = _lengths[at] with { Users = _lengths[at].Users + change };
            if (_lengths[at].Users == 0) _lengths.RemoveAt(at);
        }
    }
}
