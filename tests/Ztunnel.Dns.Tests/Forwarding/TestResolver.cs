using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Ztunnel.Dns.Tests.Forwarding;

/// <summary>A resolver under a test's control, UDP and TCP on one port. It may lie.</summary>
internal sealed class TestResolver : IDisposable
{
    private readonly Socket _udp;
    private readonly TcpListener _tcp;
    private readonly Func<byte[], bool, IEnumerable<byte[]>> _answers;
    private readonly TimeSpan? _streamPace;

    /// <param name="answers">From a query and whether it came over TCP to the datagrams that are sent back.</param>
    /// <param name="streamPace">The time between two bytes over TCP; null: none.</param>
    public TestResolver(Func<byte[], bool, IEnumerable<byte[]>> answers, TimeSpan? streamPace = null)
    {
        _answers = answers;
        _streamPace = streamPace;
        (_udp, _tcp) = BindBoth();
        _ = ServeUdpAsync();
        _ = ServeTcpAsync();
    }

    public IPEndPoint Address => (IPEndPoint)_udp.LocalEndPoint!;

    /// <summary>Where queries came from, with their ids.</summary>
    public ConcurrentQueue<(EndPoint From, ushort Id)> Seen { get; } = new();

    public static IPEndPoint UnusedAddress()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return (IPEndPoint)socket.LocalEndPoint!;
    }

    /// <summary>The query with QR and an address record, or an error.</summary>
    public static byte[] Answer(byte[] query, byte last, int code = 0)
    {
        int end = 12;
        while (query[end] != 0)
            end += 1 + query[end];
        end += 5;
        byte[] record = code == 0 ? [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 77, 0, 4, 192, 0, 2, last] : [];
        byte[] answer = [.. query[..end], .. record];
        BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(2), (ushort)(0x8180 | code));
        BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(6), (ushort)(code == 0 ? 1 : 0));
        BinaryPrimitives.WriteUInt32BigEndian(answer.AsSpan(8), 0);
        return answer;
    }

    public void Dispose()
    {
        _udp.Dispose();
        _tcp.Dispose();
    }

    // A port that is free for one protocol may be taken for the other.
    private static (Socket Udp, TcpListener Tcp) BindBoth()
    {
        while (true)
        {
            var udp = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            udp.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            var tcp = new TcpListener((IPEndPoint)udp.LocalEndPoint!);
            try
            {
                tcp.Start();
                return (udp, tcp);
            }
            catch (SocketException taken) when (taken.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                udp.Dispose();
                tcp.Dispose();
            }
        }
    }

    private async Task ServeUdpAsync()
    {
        byte[] buffer = new byte[65_535];
        try
        {
            while (true)
            {
                SocketReceiveFromResult received = await _udp.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0));
                byte[] query = buffer[..received.ReceivedBytes];
                Seen.Enqueue((received.RemoteEndPoint, BinaryPrimitives.ReadUInt16BigEndian(query)));
                foreach (byte[] answer in _answers(query, false))
                    await _udp.SendToAsync(answer, received.RemoteEndPoint);
            }
        }
        catch (Exception closed) when (closed is ObjectDisposedException or SocketException)
        {
            return; // the test is over
        }
    }

    private async Task ServeTcpAsync()
    {
        try
        {
            while (true)
            {
                using TcpClient client = await _tcp.AcceptTcpClientAsync();
                byte[] query = await Serving.DnsBench.ReadFrameAsync(client.GetStream());
                foreach (byte[] answer in _answers(query, true))
                    await SendAsync(client.GetStream(), Serving.DnsBench.Framed(answer));
            }
        }
        catch (Exception closed) when (closed is ObjectDisposedException or SocketException or IOException)
        {
            return; // the test is over
        }
    }

    private async Task SendAsync(NetworkStream client, byte[] framed)
    {
        if (_streamPace is not { } pace)
        {
            await client.WriteAsync(framed);
            return;
        }

        using var clock = new PeriodicTimer(pace);
        foreach (byte each in framed)
        {
            await client.WriteAsync(new[] { each });
            await clock.WaitForNextTickAsync();
        }
    }
}
