using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Propagation;
using Ztunnel.Mesh.Routing;

namespace Ztunnel.Mesh.Tests.Propagation;

/// <summary>Whatever a peer or a file writes where text is parsed: an answer or a refusal, never an exception.</summary>
public sealed class HostileTextTests
{
    private static readonly string[] Pieces =
    [
        "", "a", "10.0.0.1", "[::1]", "[", "]", ":", "80", "65536", "@", "%", "/", "//", ",", "=", ";", "\"", "host=", "for=", "k8s.pod.name",
        "spiffe://", "ns", "sa", "-", "00", "é", "\0", " ", "\uD800",
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Parse_RandomText_NeverThrows(int seed)
    {
        var random = new Random(seed);
        int parsed = 0;
        for (int i = 0; i < 50_000; i++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(9)).Select(_ => Pieces[random.Next(Pieces.Length)])) + (i % 2 == 0 ? ":80" : "");
            if (ConnectAuthority.TryParse(text, out ConnectAuthority? authority))
            {
                parsed++;
                Assert.True(authority.Address is null != (authority.Hostname is null));
            }
            ForwardedHeader.ParseHost(text);
            Baggage.Parse(text);
            TraceParent.TryParse(text, out _);
            Cidr.TryParse(text, out _);
            GatewayAddress.TryParse(text, 15008);
            if (SpiffeId.TryParse(text, out SpiffeId? identity)) Assert.Equal(text, identity.Text);
        }
        Assert.True(parsed > 100, $"only {parsed} authorities were readable");
    }
}
