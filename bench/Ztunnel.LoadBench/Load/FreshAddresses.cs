using System.Net;

namespace Ztunnel.LoadBench.Load;

/// <summary>Addresses of the server pod, each handed out once: a destination that no tunnel leads to yet.</summary>
internal sealed class FreshAddresses(IPAddress first, int count, int port)
{
    private readonly byte[] _first = first.GetAddressBytes();
    private int _taken;

    public bool TryTake(out IPEndPoint target)
    {
        target = new IPEndPoint(At(_taken), port);
        return _taken++ < count;
    }

    /// <summary>The address with this index, as the mesh file lists them.</summary>
    public IPAddress At(int index) => new([_first[0], _first[1], (byte)(_first[2] + (index >> 8)), (byte)index]);
}
