using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Ztunnel.Linux.Namespaces;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Endurance.Load;

/// <summary>The resolver behind ztunnel: an address that follows from the name, NXDOMAIN for names that begin with "no", nothing for those that begin with "silent". UDP and TCP.</summary>
internal sealed class Resolver : IAsyncDisposable
{
    private const int Port = 53;
    private const int HeaderBytes = 12;

    private readonly NetworkNamespace _network;
    private readonly Socket _datagrams;
    private readonly Socket _listener;
    private readonly CancellationTokenSource _ending = new();
    private readonly Task _serving;

    public Resolver(string namespacePath)
    {
        _network = NetworkNamespace.Open(namespacePath);
        var sockets = new SocketFactory(_network, new SocketSettings());
        _datagrams = new Socket(new SafeSocketHandle(sockets.OpenUdpListener(new IPEndPoint(IPAddress.Any, Port)).Release(), ownsHandle: true));
        _listener = new Socket(new SafeSocketHandle(sockets.OpenListener(new IPEndPoint(IPAddress.Any, Port), ListenerKind.Plain).Release(), ownsHandle: true));
        _serving = Task.WhenAll(ServeDatagramsAsync(), ServeConnectionsAsync());
    }

    /// <summary>What a name outside of the mesh resolves to.</summary>
    public static byte[] AddressOf(ReadOnlySpan<byte> question)
    {
        byte[] hash = SHA256.HashData(question);
        return [198, 18, hash[0], hash[1]];
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _serving;
        _datagrams.Dispose();
        _listener.Dispose();
        _network.Dispose();
        _ending.Dispose();
    }

    private async Task ServeDatagramsAsync()
    {
        byte[] buffer = new byte[1500];
        while (!_ending.IsCancellationRequested)
        {
            try
            {
                SocketReceiveFromResult received = await _datagrams.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0), _ending.Token);
                if (Answer(buffer.AsSpan(0, received.ReceivedBytes)) is { } answer)
                    await _datagrams.SendToAsync(answer, SocketFlags.None, received.RemoteEndPoint, _ending.Token);
            }
            catch (Exception ended) when (ended is SocketException or OperationCanceledException)
            {
                // The end, or a client that has gone: its port is unreachable.
            }
        }
    }

    private async Task ServeConnectionsAsync()
    {
        while (!_ending.IsCancellationRequested)
        {
            try
            {
                _ = ServeAsync(await _listener.AcceptAsync(_ending.Token));
            }
            catch (Exception ended) when (ended is SocketException or OperationCanceledException)
            {
                // The end, or a client that has gone while it waited.
            }
        }
    }

    private async Task ServeAsync(Socket connection)
    {
        try
        {
            using var stream = new NetworkStream(connection, ownsSocket: true);
            byte[] length = new byte[2];
            while (true)
            {
                await stream.ReadExactlyAsync(length, _ending.Token);
                byte[] query = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
                await stream.ReadExactlyAsync(query, _ending.Token);
                if (Answer(query) is not { } answer)
                    return;
                BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)answer.Length);
                await stream.WriteAsync((byte[])[.. length, .. answer], _ending.Token);
            }
        }
        catch (Exception ended) when (ended is IOException or OperationCanceledException)
        {
            // The end, or a client that has got what it wanted.
        }
    }

    private static byte[]? Answer(ReadOnlySpan<byte> query)
    {
        int nameEnd = HeaderBytes + query[HeaderBytes..].IndexOf((byte)0) + 1;
        ReadOnlySpan<byte> question = query[HeaderBytes..nameEnd];
        if (question[1..].StartsWith("silent"u8))
            return null;
        // Without what follows the question: additional records of the query are not ours to repeat.
        byte[] answer = [.. query[..(nameEnd + 4)]];
        bool isKnown = !question[1..].StartsWith("no"u8);
        (answer[2], answer[3]) = (0x81, (byte)(isKnown ? 0x80 : 0x83));
        (answer[7], answer[9], answer[11]) = ((byte)(isKnown ? 1 : 0), 0, 0);
        return isKnown ? [.. answer, 0xC0, HeaderBytes, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, .. AddressOf(question)] : answer;
    }
}
