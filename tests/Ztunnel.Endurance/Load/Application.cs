using System.Collections.Concurrent;
using System.Net.Sockets;

namespace Ztunnel.Endurance.Load;

/// <summary>The server of a pod: does what the first bytes of a connection ask for, and checks everything that comes.</summary>
internal sealed class Application : IAsyncDisposable
{
    private readonly Socket _listener;
    private readonly Tally _tally;
    private readonly string _name;
    private readonly CancellationTokenSource _ending = new();
    private readonly ConcurrentDictionary<Task, bool> _serving = new();
    private readonly Task _accepting;

    public Application(string name, Socket listener, Tally tally)
    {
        _name = name;
        _listener = listener;
        _tally = tally;
        _accepting = AcceptAsync();
    }

    /// <summary>Ends it as a killed process does: what is open is reset.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        _listener.Dispose();
        await _accepting;
        await Task.WhenAll(_serving.Keys);
        _ending.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_ending.IsCancellationRequested)
        {
            try
            {
                Task serving = ServeAsync(await _listener.AcceptAsync(_ending.Token));
                _serving[serving] = true;
                _ = serving.ContinueWith(task => _serving.TryRemove(task, out _), TaskScheduler.Default);
            }
            catch (Exception) when (_ending.IsCancellationRequested)
            {
                return;
            }
            catch (SocketException)
            {
                // A connection that was reset while it waited: the next one is none the worse.
            }
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        bool isOrderly = false;
        try
        {
            socket.NoDelay = true;
            var exchange = new Exchange(socket, _tally, _ending.Token);
            if (await ReadRequestAsync(socket) is { } request)
                isOrderly = await AnswerAsync(exchange, request);
            else
                isOrderly = true;
        }
        catch (MixUpException wrong)
        {
            _tally.Violation($"{_name} as a server: {wrong.Message}");
        }
        catch (Exception cut) when (cut is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // Its client was told the same way, and judges whether it may be.
            _tally.Count("server side cut");
        }
        finally
        {
            if (!isOrderly)
                socket.LingerState = new LingerOption(enable: true, 0);
            socket.Dispose();
        }
    }

    /// <summary>Null where the client ended without having said anything.</summary>
    private async Task<Request?> ReadRequestAsync(Socket socket)
    {
        byte[] bytes = new byte[Request.Bytes];
        for (int have = 0; have < bytes.Length;)
        {
            int piece = await socket.ReceiveAsync(bytes.AsMemory(have), SocketFlags.None, _ending.Token);
            if (piece == 0 && have == 0)
                return null;
            if (piece == 0)
                throw new MixUpException($"an orderly end after {have} bytes of a request");
            have += piece;
        }

        return Request.Read(bytes);
    }

    /// <returns>False where the connection is to be reset.</returns>
    private async Task<bool> AnswerAsync(Exchange exchange, Request request)
    {
        switch (request.Verb)
        {
            case Verb.Both:
                await Task.WhenAll(SendDownAsync(exchange, request), ReceiveUpAsync(exchange, request));
                return true;
            case Verb.UpThenDown:
                await ReceiveUpAsync(exchange, request);
                await SendDownAsync(exchange, request);
                return true;
            case Verb.DownThenUp:
                await SendDownAsync(exchange, request);
                await ReceiveUpAsync(exchange, request);
                return true;
            case Verb.Echo:
                await exchange.EchoAsync(request.Seed);
                return true;
            case Verb.ClientResets:
                await exchange.ReceiveAsync(request.Seed, 0, request.Up);
                throw new MixUpException("a client that resets was heard to the end");
            case Verb.ServerResets:
                await exchange.ReceiveAsync(request.Seed, 0, request.Up / 2);
                return false;
            default:
                throw new MixUpException($"verb {request.Verb}");
        }
    }

    private static async Task SendDownAsync(Exchange exchange, Request request)
    {
        await exchange.SendAsync(request.DownSeed, 0, request.Down);
        exchange.EndSending();
    }

    private static async Task ReceiveUpAsync(Exchange exchange, Request request)
    {
        await exchange.ReceiveAsync(request.Seed, 0, request.Up);
        await exchange.ReceiveEndAsync();
    }
}
