using System.Net;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Tests.Sockets;

public sealed class AddressCacheTests
{
    [Fact]
    public void Get_SameBytes_IsShared()
    {
        IPAddress first = AddressCache.Get([10, 1, 2, 3]);

        Assert.Same(first, AddressCache.Get([10, 1, 2, 3]));
        Assert.Equal(IPAddress.Parse("10.1.2.3"), first);
    }

    [Fact]
    public void Get_OtherScope_IsAnotherAddress()
    {
        byte[] linkLocal = IPAddress.Parse("fe80::1").GetAddressBytes();

        Assert.Equal(2, AddressCache.Get(linkLocal, scope: 2).ScopeId);
        Assert.Equal(3, AddressCache.Get(linkLocal, scope: 3).ScopeId);
        Assert.Equal("fe80::1%2", AddressCache.Get(linkLocal, scope: 2).ToString());
    }

    [Fact]
    public void Get_MoreThanItHolds_IsRightForEach()
    {
        for (int round = 0; round < 2; round++)
        {
            for (int number = 0; number < 2000; number++)
            {
                byte[] v4 = [10, 9, (byte)(number >> 8), (byte)number];
                Assert.Equal(new IPAddress(v4), AddressCache.Get(v4));
                byte[] v6 = [0x20, 1, .. new byte[10], .. v4];
                Assert.Equal(new IPAddress(v6), AddressCache.Get(v6));
            }
        }
    }
}
