using System.Buffers.Binary;
using System.Net;
using Ztunnel.Dns.Messages;
using Ztunnel.Linux;
using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Dns.Forwarding;

/// <summary>An answer in a rented buffer behind its two length bytes, or why there is none.</summary>
internal readonly record struct TcpAnswer(NativeBuffer? Buffer, int Length, string Error);

/// <summary>
/// Asks one resolver one question over TCP, after its answer over UDP was cut (RFC 1035 4.2.2).
/// <code>
/// length:2 | message
/// </code>
/// </summary>
internal sealed class TcpExchange(EventLoop loop, SocketFactory sockets)
{
    public const int LengthBytes = 2;

    private const int LargestBytes = LengthBytes + ushort.MaxValue;

    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(5);

    // For question and answer together: a resolver that sends a byte now and then must not hold a query for longer than one that is silent.
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(5);

    public async Task<TcpAnswer> AskAsync(ForwardedQuery query, IPEndPoint server)
    {
        SocketHandle handle;
        try
        {
            handle = sockets.OpenTcp(server.AddressFamily);
        }
        catch (LinuxException failure)
        {
            return Failed(failure.Message);
        }

        ConnectResult connected = await LoopSocket.ConnectAsync(loop, handle, server, ConnectLimit, CancellationToken.None);
        if (connected.Socket is not { } socket)
            return Failed($"connect to {server}: {ErrnoText.Describe(connected.Error)}");
        NativeBuffer buffer = loop.Buffers.Rent(LargestBytes);
        TcpAnswer answer = default;
        try
        {
            answer = await AskAsync(query, socket, buffer);
            return answer;
        }
        finally
        {
            socket.Dispose();
            if (answer.Buffer is null)
                loop.Buffers.Return(buffer);
        }
    }

    private async Task<TcpAnswer> AskAsync(ForwardedQuery query, LoopSocket socket, NativeBuffer buffer)
    {
        long deadline = loop.NowMilliseconds + (long)AnswerLimit.TotalMilliseconds;
        int length = query.Message.Length;
        BinaryPrimitives.WriteUInt16BigEndian(buffer.Span, (ushort)length);
        query.Message.CopyTo(buffer.Span[LengthBytes..]);
        IoResult sent = await socket.SendAllAsync(buffer, 0, LengthBytes + length, AnswerLimit);
        if (!sent.IsDone)
            return Failed($"send to {socket.RemoteEndPoint}: {ErrnoText.Describe(sent.Error)}");

        int received = 0;
        while (received < LengthBytes || received < LengthBytes + BinaryPrimitives.ReadUInt16BigEndian(buffer.Span))
        {
            TimeSpan left = loop.TimeLeft(deadline);
            if (left == TimeSpan.Zero)
                return Failed("the resolver took too long over its answer");
            IoResult read = await socket.ReceiveAsync(buffer, received, left);
            if (!read.IsDone)
                return Failed("the resolver closed the connection or was silent");
            received += read.Bytes;
        }

        length = BinaryPrimitives.ReadUInt16BigEndian(buffer.Span);
        ReadOnlySpan<byte> answer = buffer.Slice(LengthBytes, length);
        bool isOurs = answer.Length >= DnsHeader.Bytes && answer[..2].SequenceEqual(query.Message[..2]) && UpstreamAnswer.Answers(answer, query.Message, query.QuestionEnd);
        return isOurs ? new TcpAnswer(buffer, length, "") : Failed("the resolver answered another question");
    }

    private static TcpAnswer Failed(string error) => new(null, 0, error);
}
