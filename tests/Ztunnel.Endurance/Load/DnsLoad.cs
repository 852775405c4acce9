using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Ztunnel.Endurance.Churn;
using Ztunnel.Endurance.Network;

namespace Ztunnel.Endurance.Load;

/// <summary>Queries of a pod, which are captured: names of the mesh, names that are forwarded, names that nobody has, names that nobody answers for. Every answer is checked.</summary>
internal sealed class DnsLoad(SoakPod pod, Tally tally, Random random, bool isForwarding, CancellationToken ending)
{
    private const int Success = 0;
    private const int ServerFailure = 2;
    private const int NoSuchName = 3;
    private static readonly IPEndPoint Server = new(IPAddress.Parse(SoakNetwork.BridgeAddress), 53);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    public async Task RunAsync()
    {
        while (!ending.IsCancellationRequested)
        {
            (string name, int code, byte[]? address) = Choose();
            byte[] query = Query(name, out byte[] question);
            address ??= code == Success ? Resolver.AddressOf(question) : null;
            bool overTcp = random.Next(4) == 0;
            string what = $"dns {name} over {(overTcp ? "tcp" : "udp")}";
            long started = Stopwatch.GetTimestamp();
            using var limit = new CancellationTokenSource(Limit);
            try
            {
                tally.Opened();
                byte[] answer = overTcp ? await AskByTcpAsync(query, limit.Token) : await AskByUdpAsync(query, limit.Token);
                Check($"{what} after {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s", query, answer, code, address);
                tally.Count("dns");
            }
            catch (OperationCanceledException)
            {
                tally.Violation($"{what}: no answer within {Limit.TotalSeconds} s");
            }
            catch (Exception failure) when (failure is SocketException or IOException)
            {
                tally.Violation($"{what}: {failure.Message}");
            }

            await Pace.PassAsync(TimeSpan.FromMilliseconds(random.Next(60)), ending);
        }
    }

    private (string Name, int Code, byte[]? Address) Choose() => random.Next(isForwarding ? 0 : 15, 50) switch
    {
        0 => ($"silent{random.Next(1000)}.example.test", ServerFailure, null),
        < 5 => ($"no{random.Next(1000)}.example.test", NoSuchName, null),
        < 15 => ($"x{random.Next()}.example.test", Success, null),
        < 30 => (MeshState.ServiceHost, Success, IPAddress.Parse(MeshState.ServiceVip).GetAddressBytes()),
        _ => ("steady.default", Success, IPAddress.Parse(MeshState.ServiceVip).GetAddressBytes()),
    };

    private byte[] Query(string name, out byte[] question)
    {
        byte[] header = [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        BinaryPrimitives.WriteUInt16BigEndian(header, (ushort)random.Next(65536));
        question = [.. name.Split('.').SelectMany(static label => (byte[])[(byte)label.Length, .. Encoding.ASCII.GetBytes(label)]), 0];
        return [.. header, .. question, 0, 1, 0, 1];
    }

    private async Task<byte[]> AskByUdpAsync(byte[] query, CancellationToken cancellation)
    {
        using Socket socket = pod.OpenUdp();
        await socket.ConnectAsync(Server, cancellation);
        await socket.SendAsync(query, SocketFlags.None, cancellation);
        byte[] answer = new byte[1500];
        return answer[..await socket.ReceiveAsync(answer, SocketFlags.None, cancellation)];
    }

    private async Task<byte[]> AskByTcpAsync(byte[] query, CancellationToken cancellation)
    {
        using Socket socket = pod.OpenTcp();
        await socket.ConnectAsync(Server, cancellation);
        using var stream = new NetworkStream(socket);
        byte[] length = new byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)query.Length);
        await stream.WriteAsync((byte[])[.. length, .. query], cancellation);
        await stream.ReadExactlyAsync(length, cancellation);
        byte[] answer = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
        await stream.ReadExactlyAsync(answer, cancellation);
        return answer;
    }

    private void Check(string what, byte[] query, byte[] answer, int code, byte[]? address)
    {
        bool isOurs = answer.AsSpan().StartsWith(query.AsSpan(0, 2)) && answer.Length >= query.Length && answer.AsSpan(12, query.Length - 12).SequenceEqual(query.AsSpan(12));
        if (!isOurs || (answer[3] & 15) != code || (address is not null && answer.AsSpan().IndexOf(address) < 0))
            tally.Violation($"{what}: wrong answer {Convert.ToHexString(answer)} to {Convert.ToHexString(query)}, expected code {code} and {(address is null ? "nothing" : new IPAddress(address))}");
        tally.Verified(answer.Length);
    }
}
