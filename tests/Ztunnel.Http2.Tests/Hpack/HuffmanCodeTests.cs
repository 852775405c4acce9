using System.Text;
using Ztunnel.Http2.Hpack;

namespace Ztunnel.Http2.Tests.Hpack;

/// <summary>RFC 7541 5.2 and appendix B.</summary>
public sealed class HuffmanCodeTests
{
    [Theory]
    [InlineData("www.example.com", "f1e3c2e5f23a6ba0ab90f4ff")]
    [InlineData("no-cache", "a8eb10649cbf")]
    [InlineData("custom-value", "25a849e95bb8e8b4bf")]
    [InlineData("302", "6402")]
    [InlineData("Mon, 21 Oct 2013 20:13:21 GMT", "d07abe941054d444a8200595040b8166e082a62d1bff")]
    [InlineData("", "")]
    public void Encode_ExamplesOfTheRfc(string text, string expected)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(text);
        var encoded = new byte[HuffmanCode.EncodedBytes(bytes)];

        Assert.Equal(encoded.Length, HuffmanCode.Encode(bytes, encoded));
        Assert.Equal(expected, Convert.ToHexStringLower(encoded));
    }

    [Fact]
    public void EverySymbolPair_RoundTrips()
    {
        var encoded = new byte[16];
        var decoded = new byte[HuffmanCode.MaxDecodedBytes(16)];
        for (int pair = 0; pair < 65_536; pair++)
        {
            byte[] text = [(byte)(pair >> 8), (byte)pair];
            int written = HuffmanCode.Encode(text, encoded);
            Assert.True(HuffmanCode.TryDecode(encoded.AsSpan(0, written), decoded, out int length));
            Assert.Equal(text, decoded[..length]);
        }
    }

    [Fact]
    public void RandomBytes_DecodeOnlyToWhatEncodesBackToThem()
    {
        var random = new Random(5);
        var decoded = new byte[64];
        var encoded = new byte[64];
        for (int round = 0; round < 100_000; round++)
        {
            var bytes = new byte[random.Next(1, 12)];
            random.NextBytes(bytes);
            if (!HuffmanCode.TryDecode(bytes, decoded, out int length))
                continue;
            int written = HuffmanCode.Encode(decoded.AsSpan(0, length), encoded);
            Assert.Equal(bytes, encoded[..written]);
        }
    }
}
