using Ztunnel.Http2.Hpack;

namespace Ztunnel.Http2.Tests.Hpack;

/// <summary>RFC 7541 5.1 and C.1.</summary>
public sealed class HpackIntegerTests
{
    [Theory]
    [InlineData(10, 5, "0a")]
    [InlineData(1337, 5, "1f9a0a")]
    [InlineData(42, 8, "2a")]
    public void Write_ExamplesOfTheRfc(int value, int prefixBits, string expected)
    {
        var bytes = new byte[8];
        int written = HpackInteger.Write(bytes, prefixBits, pattern: 0, value);

        Assert.Equal(expected, Convert.ToHexStringLower(bytes[..written]));
    }

    [Fact]
    public void EveryPrefix_RoundTripsAroundItsEdges()
    {
        var bytes = new byte[8];
        for (int prefixBits = 4; prefixBits <= 7; prefixBits++)
        {
            int edge = (1 << prefixBits) - 1;
            foreach (int value in (int[])[0, edge - 1, edge, edge + 1, edge + 127, edge + 128, 65_535, 1 << 20, HpackInteger.MaxValue])
            {
                int written = HpackInteger.Write(bytes, prefixBits, pattern: 0, value);
                ReadOnlySpan<byte> source = bytes.AsSpan(0, written);
                Assert.True(HpackInteger.TryRead(ref source, prefixBits, out int read));
                Assert.Equal(value, read);
                Assert.True(source.IsEmpty);
                for (int cut = 0; cut < written; cut++)
                {
                    ReadOnlySpan<byte> part = bytes.AsSpan(0, cut);
                    Assert.False(HpackInteger.TryRead(ref part, prefixBits, out _));
                }
            }
        }
    }

    [Theory]
    [InlineData("1fffffffff7f")]
    [InlineData("1f8080808080808080")]
    public void TooLarge_IsRefused(string hex)
    {
        ReadOnlySpan<byte> source = Convert.FromHexString(hex);

        Assert.False(HpackInteger.TryRead(ref source, 5, out _));
    }
}
