using System.Net.Sockets;
using System.Security.Cryptography;

namespace Ztunnel.Proxy.Tests.Support;

/// <summary>What the applications at both ends of a stream do.</summary>
internal static class Applications
{
    private const int ChunkBytes = 64 * 1024;

    /// <summary>Sends pseudo-random bytes, ends the direction, and returns their hash.</summary>
    public static async Task<byte[]> SendRandomAsync(Socket socket, int bytes, int seed)
    {
        var random = new Random(seed);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] chunk = new byte[ChunkBytes];
        for (int sent = 0; sent < bytes;)
        {
            int size = Math.Min(chunk.Length, bytes - sent);
            random.NextBytes(chunk.AsSpan(0, size));
            hash.AppendData(chunk, 0, size);
            await SendAllAsync(socket, chunk.AsMemory(0, size));
            sent += size;
        }

        socket.Shutdown(SocketShutdown.Send);
        return hash.GetHashAndReset();
    }

    /// <summary>Sends without end until it is told to stop; then ends the direction.</summary>
    public static async Task SendUntilAsync(Socket socket, CancellationToken enough)
    {
        byte[] chunk = new byte[ChunkBytes];
        while (!enough.IsCancellationRequested)
            await SendAllAsync(socket, chunk);
        socket.Shutdown(SocketShutdown.Send);
    }

    /// <summary>Receives to the end and returns the hash.</summary>
    public static async Task<byte[]> ReceiveHashAsync(Socket socket)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] chunk = new byte[ChunkBytes];
        int received;
        while ((received = await ReceiveAsync(socket, chunk)) > 0)
            hash.AppendData(chunk, 0, received);
        return hash.GetHashAndReset();
    }

    public static async Task<byte[]> ReceiveAllAsync(Socket socket)
    {
        using var all = new MemoryStream();
        byte[] chunk = new byte[ChunkBytes];
        int received;
        while ((received = await ReceiveAsync(socket, chunk)) > 0)
            all.Write(chunk, 0, received);
        return all.ToArray();
    }

    public static async Task<byte[]> ReceiveExactlyAsync(Socket socket, int bytes)
    {
        byte[] buffer = new byte[bytes];
        for (int received = 0; received < bytes;)
        {
            int count = await ReceiveAsync(socket, buffer.AsMemory(received));
            if (count == 0)
                throw new EndOfStreamException($"end after {received} of {bytes} bytes");
            received += count;
        }

        return buffer;
    }

    /// <summary>The client sends, the server sends the same back, again and again.</summary>
    public static async Task EchoAsync(StreamPair stream, int rounds, int bytes)
    {
        byte[] message = new byte[bytes];
        for (int round = 0; round < rounds; round++)
        {
            Random.Shared.NextBytes(message);
            Task<byte[]> atServer = ReceiveExactlyAsync(stream.Server, bytes);
            await SendAllAsync(stream.Client, message);
            byte[] question = await atServer;
            Task<byte[]> atClient = ReceiveExactlyAsync(stream.Client, bytes);
            await SendAllAsync(stream.Server, question);
            Assert.Equal(message, await atClient);
        }
    }

    /// <summary>Sends until the way is full: until a whole round through the loop has made no room.</summary>
    public static async Task<long> SendUntilBlockedAsync(Socket socket, long atMost, TunnelPair pair)
    {
        const int RoundsWithoutRoom = 200;
        byte[] chunk = new byte[ChunkBytes];
        long accepted = 0;
        for (int blocked = 0; blocked < RoundsWithoutRoom && accepted < atMost;)
        {
            int sent = socket.Send(chunk, SocketFlags.None, out SocketError error);
            if (error == SocketError.WouldBlock)
            {
                blocked++;
                await pair.OnLoopAsync(() => true);
                continue;
            }

            blocked = 0;
            accepted += sent;
        }

        return accepted;
    }

    private static async Task SendAllAsync(Socket socket, ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int sent = await socket.SendAsync(bytes).AsTask().WaitAsync(TunnelPair.Limit);
            bytes = bytes[sent..];
        }
    }

    private static Task<int> ReceiveAsync(Socket socket, Memory<byte> buffer) => socket.ReceiveAsync(buffer).AsTask().WaitAsync(TunnelPair.Limit);
}
