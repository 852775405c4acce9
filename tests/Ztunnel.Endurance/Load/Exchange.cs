using System.Buffers;
using System.Net.Sockets;

namespace Ztunnel.Endurance.Load;

/// <summary>Sends and checks patterned bytes on one connection; either side's half of every verb is made of these.</summary>
internal sealed class Exchange(Socket socket, Tally tally, CancellationToken cancellation)
{
    private const int BufferBytes = 64 * 1024;

    public async Task SendAsync(ulong seed, long from, long count)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            for (long sent = 0; sent < count;)
            {
                int piece = (int)Math.Min(BufferBytes, count - sent);
                Pattern.Fill(seed, from + sent, buffer.AsSpan(0, piece));
                await SendAllAsync(buffer.AsMemory(0, piece));
                sent += piece;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public async Task SendAllAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
            bytes = bytes[await socket.SendAsync(bytes, SocketFlags.None, cancellation)..];
    }

    /// <summary>Exactly so many bytes, each the right one; an end before them is a truncation that nobody was told of.</summary>
    public async Task ReceiveAsync(ulong seed, long from, long count, TimeSpan pause = default)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            for (long received = 0; received < count;)
            {
                int piece = await socket.ReceiveAsync(buffer.AsMemory(0, (int)Math.Min(BufferBytes, count - received)), SocketFlags.None, cancellation);
                if (piece == 0)
                    throw new MixUpException($"an orderly end after {from + received} of {from + count} bytes");
                Check(seed, from + received, buffer.AsSpan(0, piece));
                received += piece;
                await Pace.PassAsync(pause, cancellation);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public async Task ReceiveEndAsync()
    {
        byte[] one = new byte[1];
        if (await socket.ReceiveAsync(one, SocketFlags.None, cancellation) != 0)
            throw new MixUpException("a byte after the last one");
    }

    /// <summary>Sends back what comes until it ends; every byte is checked on the way.</summary>
    public async Task EchoAsync(ulong seed)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            for (long at = 0; await socket.ReceiveAsync(buffer.AsMemory(0, BufferBytes), SocketFlags.None, cancellation) is var piece and > 0; at += piece)
            {
                Check(seed, at, buffer.AsSpan(0, piece));
                await SendAllAsync(buffer.AsMemory(0, piece));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public void EndSending() => socket.Shutdown(SocketShutdown.Send);

    private void Check(ulong seed, long offset, ReadOnlySpan<byte> bytes)
    {
        if (!Pattern.Matches(seed, offset, bytes))
            throw new MixUpException($"wrong content among {bytes.Length} bytes at {offset}, beginning with {Convert.ToHexString(bytes[..Math.Min(32, bytes.Length)])}");
        tally.Verified(bytes.Length);
    }
}
