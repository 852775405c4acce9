using Ztunnel.Mesh.Identity;

namespace Ztunnel.Mesh.Tests.Identity;

public sealed class SpiffeIdTests
{
    [Theory]
    [InlineData("spiffe://td.with.dots/ns/a.b/sa/c.d", "td.with.dots", "a.b", "c.d")]
    [InlineData("spiffe://td/ns//sa/", "td", "", "")]
    [InlineData("spiffe://cluster.local/ns/shop/sa/cart", "cluster.local", "shop", "cart")]
    public void TryParse_FivePartsWithKeywords_GivesTheParts(string text, string trustDomain, string @namespace, string serviceAccount)
    {
        Assert.True(SpiffeId.TryParse(text, out SpiffeId? identity));

        Assert.Equal((trustDomain, @namespace, serviceAccount), (identity.TrustDomain, identity.Namespace, identity.ServiceAccount));
        Assert.Equal(text, identity.ToString());
        Assert.Equal(text["spiffe://".Length..], identity.Principal.ToString());
    }

    [Theory]
    [InlineData("cluster.local/ns/shop/sa/cart")]
    [InlineData("SPIFFE://cluster.local/ns/shop/sa/cart")]
    [InlineData("spiffe://td/ns/a/sa")]
    [InlineData("spiffe://td/ns/a/sa/b/c")]
    [InlineData("spiffe://td/ns/a/sa/b/c/d")]
    [InlineData("spiffe://td/namespace/a/sa/b")]
    [InlineData("spiffe://td/ns/a/SA/b")]
    [InlineData("spiffe://")]
    [InlineData("")]
    [InlineData(null)]
    public void TryParse_AnythingElse_IsNotAnIdentity(string? text) => Assert.False(SpiffeId.TryParse(text, out _));

    [Fact]
    public void Parse_NotAnIdentity_NamesTheText()
    {
        var error = Assert.Throws<FormatException>(() => SpiffeId.Parse("spiffe://x"));

        Assert.Equal("invalid spiffe identity: spiffe://x", error.Message);
    }

    [Fact]
    public void Equals_SameParts_IsEqualWithEqualHash()
    {
        var one = new SpiffeId("td", "a", "b");
        SpiffeId same = SpiffeId.Parse("spiffe://td/ns/a/sa/b");

        Assert.Equal(one, same);
        Assert.Equal(one.GetHashCode(), same.GetHashCode());
        Assert.NotEqual(one, new SpiffeId("td", "b", "a"));
        Assert.True(one != null!);
    }
}
