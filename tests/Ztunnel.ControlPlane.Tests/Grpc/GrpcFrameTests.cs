using System.Buffers;
using Ztunnel.ControlPlane.Grpc;
using Ztunnel.Protos.Zds;

namespace Ztunnel.ControlPlane.Tests.Grpc;

public sealed class GrpcFrameTests
{
    private static readonly byte[] TwoFrames = [0, 0, 0, 0, 2, 0x0a, 0x00, 0, 0, 0, 0, 0, 9];

    [Fact]
    public void TryRead_SplitAnywhere_WantsWhatIsMissing()
    {
        for (int length = 0; length < 7; length++)
        {
            ReadOnlySequence<byte> buffer = new(TwoFrames, 0, length);

            Assert.False(GrpcFrame.TryRead(ref buffer, 100, out _, out int wanted));

            Assert.Equal(length < 5 ? 5 : 7, wanted);
            Assert.Equal(length, buffer.Length);
        }
    }

    [Fact]
    public void TryRead_SeveralFrames_TakesOneAtATime()
    {
        ReadOnlySequence<byte> buffer = new(TwoFrames);

        Assert.True(GrpcFrame.TryRead(ref buffer, 100, out ReadOnlySequence<byte> first, out _));
        Assert.Equal([0x0a, 0x00], first.ToArray());
        Assert.True(GrpcFrame.TryRead(ref buffer, 100, out ReadOnlySequence<byte> second, out _));
        Assert.True(second.IsEmpty);
        Assert.False(GrpcFrame.TryRead(ref buffer, 100, out _, out _));
        Assert.Equal([9], buffer.ToArray());
    }

    [Theory]
    [InlineData(new byte[] { 1, 0, 0, 0, 0 }, GrpcStatusCode.Unimplemented)]
    [InlineData(new byte[] { 7, 0, 0, 0, 0 }, GrpcStatusCode.Unimplemented)]
    [InlineData(new byte[] { 0, 0, 0, 0, 101 }, GrpcStatusCode.OutOfRange)]
    [InlineData(new byte[] { 0, 255, 255, 255, 255 }, GrpcStatusCode.OutOfRange)]
    public void TryRead_CompressedOrTooLong_IsRefusedByThePrefixAlone(byte[] prefix, GrpcStatusCode expected)
    {
        GrpcException error = Assert.Throws<GrpcException>(() =>
        {
            ReadOnlySequence<byte> buffer = new(prefix);
            GrpcFrame.TryRead(ref buffer, 100, out _, out _);
        });

        Assert.Equal(expected, error.Status.Code);
    }

    [Fact]
    public void Write_Message_HasItsLengthInFront()
    {
        ZdsHello hello = new() { Version = Protos.Zds.Version.V1 };
        byte[] frame = new byte[16];

        int length = GrpcFrame.Write(hello, hello.CalculateSize(), frame);

        Assert.Equal([0, 0, 0, 0, 2, 8, 1], frame[..length]);
    }

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("100%25 of caf%C3%A9", "100% of café")]
    [InlineData("bad %zz and %4", "bad %zz and %4")]
    public void PercentDecode_Message_IsUtf8(string text, string expected) => Assert.Equal(expected, GrpcTrailers.PercentDecode(text));
}
