using System.Net;
using System.Text;
using Ztunnel.Mesh.Identity;
using Ztunnel.Proxy.Inbound;

namespace Ztunnel.Proxy.Tests.Inbound;

public sealed class ProxyHeaderTests
{
    private static readonly SpiffeId Client = new("cluster.local", "default", "client");

    /// <summary>The bytes of data-path, appendix C.4.</summary>
    [Fact]
    public void Build_IPv4WithIdentity_IsTheSpecifiedExample()
    {
        byte[] header = ProxyHeader.Build(IPEndPoint.Parse("10.0.1.5:40000"), IPEndPoint.Parse("10.10.0.1:80"), Client, service: null);

        byte[] expected =
        [
            .. Convert.FromHexString("0d0a0d0a000d0a515549540a" + "21" + "11" + "003a" + "0a000105" + "0a0a0001" + "9c40" + "0050" + "d0002b"),
            .. Encoding.ASCII.GetBytes("spiffe://cluster.local/ns/default/sa/client"),
        ];
        Assert.Equal(expected, header);
    }

    [Fact]
    public void Build_WithService_AppendsItsHostname()
    {
        byte[] header = ProxyHeader.Build(IPEndPoint.Parse("10.0.1.5:1"), IPEndPoint.Parse("10.10.0.1:80"), identity: null, "echo.default.svc");

        Assert.Equal([0xD1, 0, 16, .. "echo.default.svc"u8], header[^19..]);
        Assert.Equal(header.Length - 16, (header[14] << 8) | header[15]);
    }

    [Fact]
    public void Build_IPv6_Has36AddressBytes()
    {
        byte[] header = ProxyHeader.Build(IPEndPoint.Parse("[fd00::1]:40000"), IPEndPoint.Parse("[fd00::2]:80"), identity: null, service: null);

        Assert.Equal(0x21, header[13]);
        Assert.Equal(16 + 36, header.Length);
    }

    [Fact]
    public void Build_MixedFamilies_MapsTheIPv4Address()
    {
        byte[] header = ProxyHeader.Build(IPEndPoint.Parse("10.0.1.5:40000"), IPEndPoint.Parse("[fd00::2]:80"), identity: null, service: null);

        Assert.Equal(0x21, header[13]);
        Assert.Equal(IPAddress.Parse("::ffff:10.0.1.5").GetAddressBytes(), header[16..32]);
    }

    [Fact]
    public void Build_NameLongerThanTheLengthCanSay_IsLeftOut()
    {
        // Found by the fuzz target: the length wrapped, and what the client had put into its `forwarded` header reached the application as data.
        byte[] header = ProxyHeader.Build(IPEndPoint.Parse("10.0.1.5:1"), IPEndPoint.Parse("10.10.0.1:80"), Client, new string('h', 65_520));

        Assert.Equal(ProxyHeader.Build(IPEndPoint.Parse("10.0.1.5:1"), IPEndPoint.Parse("10.10.0.1:80"), Client, service: null), header);
    }
}
