using System.Net;
using System.Net.Sockets;
using Ztunnel.Endurance.Network;

namespace Ztunnel.Endurance.Load;

/// <summary>Where a connection goes.</summary>
/// <param name="Name">For messages and counts.</param>
/// <param name="EndPoint">Address and port.</param>
/// <param name="IsTouched">Whether it may be cut, by churn or because it is to be refused. The end of the load does not wait for it either.</param>
internal sealed record Target(string Name, IPEndPoint EndPoint, bool IsTouched = false);

/// <summary>One kind of traffic, over and over until the load ends: each connection's size, order and end come from the seed.</summary>
internal sealed class Client(SoakPod pod, Tally tally, Random random, CancellationToken ending)
{
    // Longer than anything takes here, pauses of idle connections included: what is not through by then is stuck.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);
    private const int LongestPauseMilliseconds = 25;

    public async Task RunAsync(string what, Func<Target> choose, Func<Client, Socket, CancellationToken, Task> talk)
    {
        while (!ending.IsCancellationRequested)
        {
            Target target = choose();
            await ConnectAsync(what, $"{what} {pod.Name} -> {target.Name}", target, talk);
            tally.Count(what);
            await Pace.PassAsync(TimeSpan.FromMilliseconds(random.Next(LongestPauseMilliseconds)), ending);
        }
    }

    /// <summary>Half of the bytes of a size that is as often small as large.</summary>
    public static async Task BulkAsync(Client client, Socket socket, CancellationToken limit)
    {
        Random random = client.Random;
        var request = new Request(Pick(random, Verb.Both, Verb.Both, Verb.UpThenDown, Verb.DownThenUp), client.Seed(), client.Size(), client.Size());
        TimeSpan pause = random.Next(6) == 0 ? TimeSpan.FromMilliseconds(2) : default;
        await client.TransferAsync(socket, request, pause, limit);
    }

    public static async Task HalfCloseAsync(Client client, Socket socket, CancellationToken limit)
    {
        Random random = client.Random;
        await client.TransferAsync(socket, new Request(Pick(random, Verb.UpThenDown, Verb.DownThenUp), client.Seed(), random.Next(100_000), random.Next(100_000)), default, limit);
    }

    /// <summary>Questions and answers of any size, as many as it likes.</summary>
    public static Task EchoAsync(Client client, Socket socket, CancellationToken limit) => client.EchoAsync(socket, 1 + client.Random.Next(60), longestPause: TimeSpan.Zero, limit);

    /// <summary>Long silences between a few words. The end of the load ends the silence.</summary>
    public static Task IdleAsync(Client client, Socket socket, CancellationToken limit) => client.EchoAsync(socket, 2 + client.Random.Next(3), longestPause: TimeSpan.FromSeconds(12), limit);

    /// <summary>Nothing, or a word and its answer, then the end.</summary>
    public static async Task ConnectCloseAsync(Client client, Socket socket, CancellationToken limit)
    {
        if (client.Random.Next(3) > 0)
            await client.EchoAsync(socket, 1, TimeSpan.Zero, limit);
    }

    public static async Task ResetAsync(Client client, Socket socket, CancellationToken limit)
    {
        bool isOurs = client.Random.Next(2) == 0;
        var request = new Request(isOurs ? Verb.ClientResets : Verb.ServerResets, client.Seed(), 2 + client.Random.Next(300_000), 0);
        var exchange = await client.BeginAsync(socket, request, limit);
        if (isOurs)
        {
            await exchange.SendAsync(request.Seed, 0, client.Random.NextInt64(request.Up));
            socket.LingerState = new LingerOption(enable: true, 0);
            return;
        }

        try
        {
            await exchange.SendAsync(request.Seed, 0, request.Up);
            await exchange.ReceiveEndAsync();
        }
        catch (SocketException told) when (told.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown)
        {
            return;
        }

        throw new MixUpException("the server's reset arrived as an orderly end");
    }

    /// <summary>What must not get through: no byte, and an end that is no orderly one.</summary>
    public static async Task RefusedAsync(Client client, Socket socket, CancellationToken limit)
    {
        try
        {
            var exchange = await client.BeginAsync(socket, new Request(Verb.UpThenDown, client.Seed(), 0, 1), limit);
            exchange.EndSending();
            await exchange.ReceiveEndAsync();
        }
        catch (SocketException)
        {
            return;
        }

        throw new MixUpException("an orderly end where a refusal was due");
    }

    private Random Random => random;

    private ulong Seed() => (ulong)random.NextInt64();

    // From a KiB to 4 MiB, each power of two as likely; once in a while much more.
    private long Size() => random.Next(40) == 0 ? 24 << 20 : random.NextInt64(1L << random.Next(10, 23));

    private static T Pick<T>(Random random, params T[] values) => values[random.Next(values.Length)];

    private async Task ConnectAsync(string kind, string what, Target target, Func<Client, Socket, CancellationToken, Task> talk)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(target.IsTouched ? ending : CancellationToken.None);
        limit.CancelAfter(Limit);
        using Socket socket = pod.OpenTcp();
        try
        {
            tally.Opened();
            await socket.ConnectAsync(target.EndPoint, limit.Token);
            what = $"{what} from port {((IPEndPoint)socket.LocalEndPoint!).Port}";
            await talk(this, socket, limit.Token);
        }
        catch (OperationCanceledException)
        {
            // Also what an application does that gives up: its proxies must let go of it, in whatever phase it was.
            socket.LingerState = new LingerOption(enable: true, 0);
            if (!target.IsTouched || !ending.IsCancellationRequested)
                tally.Violation($"{what}: still not through after {Limit.TotalSeconds} s");
        }
        catch (Exception failure) when (failure is SocketException or MixUpException)
        {
            socket.LingerState = new LingerOption(enable: true, 0);
            tally.Failed(kind, what, target.IsTouched, failure);
        }
    }

    private async Task<Exchange> BeginAsync(Socket socket, Request request, CancellationToken limit)
    {
        var exchange = new Exchange(socket, tally, limit);
        byte[] header = new byte[Request.Bytes];
        request.Write(header);
        await exchange.SendAllAsync(header);
        return exchange;
    }

    private async Task TransferAsync(Socket socket, Request request, TimeSpan pause, CancellationToken limit)
    {
        Exchange exchange = await BeginAsync(socket, request, limit);
        switch (request.Verb)
        {
            case Verb.DownThenUp:
                await ReceiveAsync();
                await SendAsync();
                break;
            case Verb.UpThenDown:
                await SendAsync();
                await ReceiveAsync();
                break;
            default:
                await Task.WhenAll(SendAsync(), ReceiveAsync());
                break;
        }

        async Task SendAsync()
        {
            await exchange.SendAsync(request.Seed, 0, request.Up);
            exchange.EndSending();
        }

        async Task ReceiveAsync()
        {
            await exchange.ReceiveAsync(request.DownSeed, 0, request.Down, pause);
            await exchange.ReceiveEndAsync();
        }
    }

    private async Task EchoAsync(Socket socket, int rounds, TimeSpan longestPause, CancellationToken limit)
    {
        var request = new Request(Verb.Echo, Seed(), 0, 0);
        Exchange exchange = await BeginAsync(socket, request, limit);
        long at = 0;
        for (int round = 0; round < rounds; round++)
        {
            int count = random.Next(8) == 0 ? random.Next(60_000) : 1 + random.Next(200);
            await Task.WhenAll(exchange.SendAsync(request.Seed, at, count), exchange.ReceiveAsync(request.Seed, at, count));
            at += count;
            await Pace.PassAsync(longestPause * random.NextDouble(), ending);
        }

        exchange.EndSending();
        await exchange.ReceiveEndAsync();
    }
}
