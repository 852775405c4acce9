using System.Text;
using Ztunnel.Http2.Hpack;

namespace Ztunnel.Http2.Tests.Hpack;

/// <summary>The examples of RFC 7541 appendix C, and what must be refused.</summary>
public sealed class HpackDecoderTests
{
    private const string Request1 = ":method: GET|:scheme: http|:path: /|:authority: www.example.com";
    private const string Request2 = Request1 + "|cache-control: no-cache";
    private const string Request3 = ":method: GET|:scheme: https|:path: /index.html|:authority: www.example.com|custom-key: custom-value";

    [Theory]
    [InlineData("400a637573746f6d2d6b65790d637573746f6d2d686561646572", "custom-key: custom-header", 55)]
    [InlineData("040c2f73616d706c652f70617468", ":path: /sample/path", 0)]
    [InlineData("100870617373776f726406736563726574", "password: secret", 0)]
    [InlineData("82", ":method: GET", 0)]
    public void Rfc7541_C2_Representations(string section, string expected, int tableSize)
    {
        var decoder = new HpackDecoder();

        Assert.Equal(expected, Decode(decoder, section));
        Assert.Equal(tableSize, decoder.Table.Size);
    }

    [Theory]
    [InlineData("828684410f7777772e6578616d706c652e636f6d", "828684be58086e6f2d6361636865", "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565")]
    [InlineData("828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf", "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf")]
    public void Rfc7541_C3_C4_RequestsOnOneConnection(string first, string second, string third)
    {
        var decoder = new HpackDecoder();

        Assert.Equal(Request1, Decode(decoder, first));
        Assert.Equal(57, decoder.Table.Size);
        Assert.Equal(Request2, Decode(decoder, second));
        Assert.Equal(110, decoder.Table.Size);
        Assert.Equal(Request3, Decode(decoder, third));
        Assert.Equal(164, decoder.Table.Size);
        Assert.Equal(3, decoder.Table.Count);
    }

    /// <summary>C.5 and C.6 use a table of 256 bytes, so entries are evicted.</summary>
    [Theory]
    [InlineData(
        "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
        "4803333037c1c0bf",
        "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31")]
    [InlineData(
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
        "4883640effc1c0bf",
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007")]
    public void Rfc7541_C5_C6_ResponsesWithEviction(string first, string second, string third)
    {
        var decoder = new HpackDecoder();
        const string Rest = "|cache-control: private|date: Mon, 21 Oct 2013 20:13:21 GMT|location: https://www.example.com";

        Assert.Equal(":status: 302" + Rest, Decode(decoder, "3fe101" + first));
        Assert.Equal(222, decoder.Table.Size);
        Assert.Equal(":status: 307" + Rest, Decode(decoder, second));
        Assert.Equal(222, decoder.Table.Size);
        Assert.Equal(
            ":status: 200|cache-control: private|date: Mon, 21 Oct 2013 20:13:22 GMT|location: https://www.example.com|content-encoding: gzip|"
            + "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
            Decode(decoder, third));
        Assert.Equal(215, decoder.Table.Size);
        Assert.Equal(3, decoder.Table.Count);
    }

    [Theory]
    [InlineData("80")]                    // index 0
    [InlineData("be")]                    // dynamic index 62 in an empty table
    [InlineData("ff00")]                  // index 127
    [InlineData("ffffffffffffffffff7f")]  // integer overflow
    [InlineData("ffffffff")]              // integer cut off
    [InlineData("7f")]                    // name index cut off
    [InlineData("7e00")]                  // name index out of range
    [InlineData("0003616263")]            // value missing
    [InlineData("00036162")]              // name cut off
    [InlineData("000161836162")]          // Huffman text cut off
    [InlineData("00016181ff")]            // padding of eight bits
    [InlineData("0001618300ffff")]        // padding longer than seven bits
    [InlineData("00016181fe")]            // a bit of padding is 0
    [InlineData("00016184ffffffff")]      // EOS inside
    [InlineData("3fe21f")]                // table size 4097
    [InlineData("8220")]                  // size update behind a field
    [InlineData("20203f")]                // size update cut off
    public void Malformed_Section_IsAnError(string section)
    {
        Assert.StartsWith("error", Decode(new HpackDecoder(), section));
    }

    [Fact]
    public void Rfc7541_4_4_EntryLargerThanTheTable_EmptiesIt()
    {
        var decoder = new HpackDecoder();
        Decode(decoder, "400161" + "0162");
        Assert.Equal(1, decoder.Table.Count);

        string large = "4001617fc11f" + string.Concat(Enumerable.Repeat("63", 4_160));

        Assert.Equal("a: " + new string('c', 4_160), Decode(decoder, large));
        Assert.Equal((0, 0), (decoder.Table.Count, decoder.Table.Size));
    }

    /// <summary>RFC 7541 4.4: the name may come from the very entry that the new one evicts.</summary>
    [Fact]
    public void Rfc7541_4_4_NameOfTheEvictedEntry_IsKept()
    {
        var decoder = new HpackDecoder();
        Decode(decoder, "3f29" + "40" + "0a637573746f6d2d6b6579" + "0161");    // table of 72 bytes, entry of 43

        Assert.Equal("custom-key: bb", Decode(decoder, "7e" + "026262"));
        Assert.Equal(1, decoder.Table.Count);
        Assert.Equal("custom-key: bb", Decode(decoder, "be"));
    }

    [Fact]
    public void Rfc7541_4_2_TableSizeZeroAndBack_EmptiesTheTable()
    {
        var decoder = new HpackDecoder();
        Decode(decoder, "4001610162");

        Assert.Equal(":method: GET", Decode(decoder, "203fe11f82"));
        Assert.Equal((0, 4_096), (decoder.Table.Count, decoder.Table.MaxSize));
    }

    /// <summary>Random fields, sizes and representations against a table written the simplest way.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void RandomSections_AgreeWithASimpleModel(int seed)
    {
        var random = new Random(seed);
        var decoder = new HpackDecoder();
        var model = new List<(string Name, string Value)>();
        int maxSize = 4_096;
        for (int round = 0; round < 3_000; round++)
        {
            var section = new List<byte>();
            var expected = new List<string>();
            if (random.Next(50) == 0)
            {
                maxSize = random.Next(4_097);
                Write(section, 5, 0x20, maxSize);
                Evict(model, maxSize);
            }
            for (int fields = random.Next(1, 6); fields > 0; fields--)
            {
                if (model.Count > 0 && random.Next(3) == 0)
                {
                    int index = random.Next(model.Count);
                    Write(section, 7, 0x80, 62 + index);
                    expected.Add($"{model[index].Name}: {model[index].Value}");
                    continue;
                }
                bool insert = random.Next(2) == 0;
                int prefix = insert ? 6 : 4;
                byte pattern = insert ? (byte)0x40 : (byte)(random.Next(2) * 0x10);
                string value = RandomText(random, random.Next(8) == 0 ? 1_500 : 60);
                string name;
                if (model.Count > 0 && random.Next(2) == 0)
                {
                    int index = random.Next(model.Count);
                    name = model[index].Name;
                    Write(section, prefix, pattern, 62 + index);
                }
                else
                {
                    name = RandomText(random, 20);
                    Write(section, prefix, pattern, 0);
                    WriteText(section, name, random);
                }
                WriteText(section, value, random);
                expected.Add($"{name}: {value}");
                if (!insert)
                    continue;
                int size = name.Length + value.Length + 32;
                Evict(model, Math.Max(0, maxSize - size));
                if (size <= maxSize)
                    model.Insert(0, (name, value));
            }

            Assert.Equal(string.Join('|', expected), Decode(decoder, Convert.ToHexString([.. section])));
            Assert.Equal(model.Sum(entry => entry.Name.Length + entry.Value.Length + 32), decoder.Table.Size);
        }
    }

    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    public void RandomBytes_NeverThrow(int seed)
    {
        var random = new Random(seed);
        for (int round = 0; round < 20_000; round++)
        {
            var section = new byte[random.Next(1, 80)];
            random.NextBytes(section);
            _ = Decode(new HpackDecoder(), Convert.ToHexString(section));
        }
    }

    private static void Evict(List<(string Name, string Value)> model, int size)
    {
        while (model.Sum(entry => entry.Name.Length + entry.Value.Length + 32) > size)
            model.RemoveAt(model.Count - 1);
    }

    private static string RandomText(Random random, int max)
    {
        var text = new char[random.Next(max)];
        for (int i = 0; i < text.Length; i++)
            text[i] = (char)(random.Next(10) == 0 ? random.Next(256) : random.Next('a', 'z'));
        return new string(text);
    }

    private static void Write(List<byte> section, int prefixBits, byte pattern, int value)
    {
        Span<byte> bytes = stackalloc byte[8];
        section.AddRange(bytes[..HpackInteger.Write(bytes, prefixBits, pattern, value)]);
    }

    private static void WriteText(List<byte> section, string text, Random random)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(text);
        if (random.Next(2) == 0)
        {
            Write(section, 7, 0, bytes.Length);
            section.AddRange(bytes);
            return;
        }
        var encoded = new byte[HuffmanCode.EncodedBytes(bytes)];
        Assert.Equal(encoded.Length, HuffmanCode.Encode(bytes, encoded));
        Write(section, 7, 0x80, encoded.Length);
        section.AddRange(encoded);
    }

    /// <summary>Fields joined with `|`, or `error: …`.</summary>
    private static string Decode(HpackDecoder decoder, string hex)
    {
        ReadOnlySpan<byte> section = Convert.FromHexString(hex);
        var scratch = new byte[decoder.ScratchBytes(section.Length)];
        var fields = new List<string>();
        decoder.BeginSection();
        string? error;
        while (decoder.TryRead(ref section, scratch, out HeaderField field, out error))
            fields.Add($"{Encoding.Latin1.GetString(field.Name)}: {Encoding.Latin1.GetString(field.Value)}");
        return error is null ? string.Join('|', fields) : "error: " + error;
    }
}
