using System.Net;
using System.Net.Sockets;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;

namespace Ztunnel.Dns.Names;

/// <summary>The addresses a name stands for (data-path 7.5), side by side as the records will hold them.</summary>
internal static class ServiceAddresses
{
    /// <summary>Bytes written; what does not fit is left out, as no message could hold it.</summary>
    public static int Collect(MeshSnapshot mesh, NameMatch match, string clientNetwork, AddressFamily family, Span<byte> destination)
    {
        int length = 0;
        if (match.Pod is { } pod)
        {
            AddFirst(pod, family, destination, ref length);
            return length;
        }

        Service service = match.Service!;
        if (!service.Vips.IsEmpty)
        {
            // Those of the client's own network or none: another network's cannot be reached from here.
            foreach (NetworkAddress vip in service.Vips)
            {
                if (vip.Address.AddressFamily == family && vip.Network == clientNetwork)
                    Add(vip.Address, destination, ref length);
            }

            return length;
        }

        if (mesh.FindEndpoints(service.Key) is not { } endpoints)
            return 0;
        for (int index = 0; index < endpoints.Count; index++)
        {
            if (endpoints.TryGetIncluded(index, out Workload? workload))
                AddFirst(workload, family, destination, ref length);
        }

        return length;
    }

    /// <summary>Another order for every query, so that clients which take the first spread over all.</summary>
    public static void Shuffle(Span<byte> addresses, int addressBytes, Random random)
    {
        Span<byte> held = stackalloc byte[16];
        held = held[..addressBytes];
        for (int last = (addresses.Length / addressBytes) - 1; last > 0; last--)
        {
            Span<byte> one = addresses.Slice(last * addressBytes, addressBytes);
            Span<byte> other = addresses.Slice(random.Next(last + 1) * addressBytes, addressBytes);
            one.CopyTo(held);
            other.CopyTo(one);
            held.CopyTo(other);
        }
    }

    private static void AddFirst(Workload workload, AddressFamily family, Span<byte> destination, ref int length)
    {
        for (int index = 0; index < workload.Addresses.Count; index++)
        {
            if (workload.Addresses[index].AddressFamily != family)
                continue;
            Add(workload.Addresses[index], destination, ref length);
            return;
        }
    }

    private static void Add(IPAddress address, Span<byte> destination, ref int length)
    {
        if (address.TryWriteBytes(destination[length..], out int written))
            length += written;
    }
}
