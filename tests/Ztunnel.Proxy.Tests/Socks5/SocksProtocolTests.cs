using System.Text;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Socks5;

namespace Ztunnel.Proxy.Tests.Socks5;

public sealed class SocksProtocolTests
{
    [Theory]
    [InlineData(new byte[] { 5, 2 }, null)]
    [InlineData(new byte[] { 4, 1 }, "unsupported version 4")]
    [InlineData(new byte[] { 5, 0 }, "no authentication methods")]
    public void ReadGreeting_Judges(byte[] greeting, string? wrong)
    {
        Assert.Equal(wrong, SocksProtocol.ReadGreeting(greeting, out int methods));
        Assert.Equal(greeting[1], methods);
    }

    [Theory]
    [InlineData(new byte[] { 0 }, null)]
    [InlineData(new byte[] { 2, 0 }, null)]
    [InlineData(new byte[] { 2, 255 }, "only clients without authentication are served")]
    public void ReadMethods_WantsOneWithoutAuthentication(byte[] methods, string? wrong) => Assert.Equal(wrong, SocksProtocol.ReadMethods(methods));

    [Theory]
    [InlineData(new byte[] { 5, 1, 0, 1, 10, 0, 2, 7, 0x1f, 0x90 }, "10.0.2.7:8080")]
    [InlineData(new byte[] { 5, 1, 0, 4, 0xfd, 0x88, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 80 }, "[fd88::9]:80")]
    [InlineData(new byte[] { 5, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 2, 7, 0, 80 }, "10.0.2.7:80")]
    [InlineData(new byte[] { 5, 1, 0, 3, 3, (byte)'a', (byte)'.', (byte)'b', 0xff, 0xff }, "a.b:65535")]
    public void ReadTarget_EveryKindOfAddress(byte[] request, string target)
    {
        Assert.Null(SocksProtocol.ReadRequest(request.AsSpan(0, SocksProtocol.RequestBytes), out int rest));
        Assert.Equal(request.Length - SocksProtocol.RequestBytes, rest);
        Assert.Null(SocksProtocol.ReadTarget(request.AsSpan(0, SocksProtocol.RequestBytes), request.AsSpan(SocksProtocol.RequestBytes), out SocksTarget read));
        Assert.Equal(target, read.ToString());
    }

    [Theory]
    [InlineData(new byte[] { 4, 1, 0, 1, 0 }, "unsupported version 4")]
    [InlineData(new byte[] { 5, 2, 0, 1, 0 }, "unsupported command 2")]
    [InlineData(new byte[] { 5, 3, 0, 1, 0 }, "unsupported command 3")]
    [InlineData(new byte[] { 5, 1, 0, 2, 0 }, "unsupported address type 2")]
    [InlineData(new byte[] { 5, 1, 0, 3, 0 }, "empty host name")]
    public void ReadRequest_Unsupported_SaysWhat(byte[] request, string wrong) => Assert.Equal(wrong, SocksProtocol.ReadRequest(request, out _));

    [Theory]
    [InlineData("a\nb")]
    [InlineData("a b")]
    [InlineData("häh")]
    public void ReadTarget_NameThatWouldSpoilALog_IsRefused(string name)
    {
        byte[] bytes = [.. Encoding.UTF8.GetBytes(name), 0, 80];
        Assert.NotNull(SocksProtocol.ReadTarget([5, 1, 0, 3, (byte)(bytes.Length - 2)], bytes, out _));
    }

    [Fact]
    public void WriteReply_NamesNoAddress()
    {
        byte[] reply = new byte[SocksProtocol.ReplyBytes];
        SocksProtocol.WriteReply(reply, SocksStatus.HostUnreachable);
        Assert.Equal([5, 4, 0, 1, 0, 0, 0, 0, 0, 0], reply);
    }

    [Theory]
    [InlineData(EndReason.ConnectFailed, 5)]
    [InlineData(EndReason.TunnelConnectTimedOut, 4)]
    [InlineData(EndReason.NoRoute, 3)]
    [InlineData(EndReason.RecursiveCall, 2)]
    [InlineData(EndReason.TlsFailed, 1)]
    public void StatusOf_SaysWhatTheClientCanActOn(EndReason reason, int status) => Assert.Equal(status, (int)SocksReply.StatusOf(reason));
}
