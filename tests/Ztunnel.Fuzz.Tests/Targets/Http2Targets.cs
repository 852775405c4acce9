using System.Text;
using Ztunnel.Http2;
using Ztunnel.Http2.Hpack;

namespace Ztunnel.Fuzz.Tests.Targets;

/// <summary>HTTP/2 as a stranger may send it: frames, header sections, and streams of bytes cut anywhere.</summary>
public sealed class Http2Targets
{
    private const int HeadersType = 1;

    private static readonly byte[] Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray();

    [Fact]
    public void Server_OfAnyFrames_AnswersTheSameHoweverTheyAreCut() => FuzzRun.Cases("h2 server", 3_000, static input =>
    {
        byte[] bytes = [.. Preface, .. Frame(4, 0, 0, []), .. Frames(input)];
        if (input.OneIn(3))
            bytes = input.Damage(bytes);

        CompareCuts(input, Http2Role.Server, bytes);
    });

    [Fact]
    public void Client_OfAnyFrames_AnswersTheSameHoweverTheyAreCut() => FuzzRun.Cases("h2 client", 3_000, static input =>
    {
        byte[] bytes = [.. Frame(4, 0, 0, []), .. Frames(input)];
        if (input.OneIn(3))
            bytes = input.Damage(bytes);

        CompareCuts(input, Http2Role.Client, bytes);
    });

    [Fact]
    public void Hpack_OfAnyBytes_EndsWithFieldsOrAnError() => FuzzRun.Cases("hpack", 10_000, static input =>
    {
        var decoder = new HpackDecoder();
        for (int sections = 1 + input.Below(4); sections > 0; sections--)
        {
            ReadOnlySpan<byte> section = input.OneIn(3) ? input.Bytes(200) : input.Damage(Section(input));
            int length = section.Length;
            byte[] scratch = new byte[decoder.ScratchBytes(section.Length)];
            decoder.BeginSection();
            int fields = 0;
            string? error;
            while (decoder.TryRead(ref section, scratch, out HeaderField _, out error))
                Assert.True(++fields <= length, "more fields than bytes");
            Assert.True(error is not null || section.IsEmpty, "neither at the end nor an error");
            Assert.InRange(decoder.Table.Size, 0, decoder.Table.MaxSize);
            if (error is not null)
                return;
        }
    });

    [Fact]
    public void Hpack_OurRequest_IsReadBack() => FuzzRun.Cases("own hpack", 10_000, static input =>
    {
        // Spaces around a value do not travel (RFC 9113 8.2.1).
        string[] sent = [input.Visible(60).Trim(' '), input.Visible(300).Trim(' '), input.Visible(100).Trim(' '), input.Visible(60).Trim(' ')];
        var request = new ConnectRequest { Authority = sent[0], Baggage = sent[1], Forwarded = sent[2], TraceParent = sent[3] };
        byte[] section = new byte[HpackEncoder.MaxBytes(request)];
        ReadOnlySpan<byte> rest = section.AsSpan(0, HpackEncoder.WriteConnect(section, request, sizeUpdate: input.OneIn(2)));
        var decoder = new HpackDecoder();
        byte[] scratch = new byte[decoder.ScratchBytes(section.Length)];
        List<string> received = [];
        decoder.BeginSection();
        while (decoder.TryRead(ref rest, scratch, out HeaderField field, out _))
            received.Add(Encoding.ASCII.GetString(field.Value));

        Assert.Equal([.. sent.Prepend("CONNECT")], received);
    });

    private static void CompareCuts(FuzzInput input, Http2Role role, byte[] bytes)
    {
        (Http2ReceiveResult whole, string story) = FrameStory.Tell(role, bytes, [0..bytes.Length]);
        (Http2ReceiveResult cut, string cutStory) = FrameStory.Tell(role, bytes, input.Pieces(bytes.Length));

        // How often a peer may annoy is counted by turns as well, so that one cut may meet a limit which another does not.
        if (whole.Code == Http2ErrorCode.EnhanceYourCalm || cut.Code == Http2ErrorCode.EnhanceYourCalm)
            return;
        Assert.Equal(story, cutStory);
        Assert.Equal((whole.IsClosed, whole.Code), (cut.IsClosed, cut.Code));
    }

    private static byte[] Frames(FuzzInput input) => [.. Enumerable.Range(0, 1 + input.Below(12)).SelectMany(_ => AnyFrame(input))];

    private static byte[] AnyFrame(FuzzInput input)
    {
        int stream = input.Pick([0, 1, 1, 1, 2, 3, 3, 5, 7, int.MaxValue]);
        byte flags = (byte)input.Pick([0, 1, 4, 4, 5, 8, 9, 0x20, 0x2D, 0xFF]);
        switch (input.Below(10))
        {
            case 0: return Frame(input.Below(14), flags, stream, input.Bytes(30));
            case 1 or 2: return Frame(0, flags, stream, input.Bytes(300));
            case 3: return Frame(3, 0, stream, [0, 0, 0, (byte)input.Below(16)]);
            case 4: return Frame(4, (byte)input.Below(2), 0, Settings(input));
            case 5: return Frame(8, 0, stream, [(byte)input.Below(256), 0, (byte)input.Below(256), 1]);
            case 6: return Frame(6, (byte)input.Below(2), 0, new byte[8]);
            case 7: return Frame(7, 0, 0, [0, 0, 0, (byte)input.Below(8), 0, 0, 0, (byte)input.Below(16), .. input.Bytes(10)]);
            default:
                byte[] section = input.OneIn(4) ? input.Damage(Section(input)) : Section(input);
                return input.OneIn(4) ? [.. Frame(HeadersType, 0, stream, section[..(section.Length / 2)]), .. Frame(9, 4, stream, section[(section.Length / 2)..])] : Frame(HeadersType, flags, stream, section);
        }
    }

    private static byte[] Settings(FuzzInput input) =>
        [.. Enumerable.Range(0, input.Below(4)).SelectMany(_ => new byte[] { 0, (byte)input.Below(10), (byte)(input.OneIn(4) ? 255 : 0), 0, (byte)input.Below(256), (byte)input.Below(256) })];

    /// <summary>A request or an answer as it should be.</summary>
    private static byte[] Section(FuzzInput input)
    {
        byte[] section = new byte[2000];
        int length = input.OneIn(3)
            ? HpackEncoder.WriteResponse(section, input.Pick([100, 200, 401, 503]), input.OneIn(2) ? null : "k8s.pod.name=a", sizeUpdate: false)
            : HpackEncoder.WriteConnect(
                section, new ConnectRequest { Authority = "10.0.0.2:8080", Baggage = "service.name=a", Forwarded = "for=\"10.0.0.1:1\"", TraceParent = "00-0-0-00" }, sizeUpdate: false);
        return section[..length];
    }

    private static byte[] Frame(int type, byte flags, int stream, byte[] payload) =>
    [
        (byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length, (byte)type, flags, (byte)(stream >> 24), (byte)(stream >> 16), (byte)(stream >> 8), (byte)stream, .. payload,
    ];
}
