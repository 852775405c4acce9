using System.Collections.Concurrent;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Tests.Sockets;

/// <summary>Keeps what it is given, and can hold a loop in its handler or fail.</summary>
internal sealed class AcceptingHandler : IAcceptHandler
{
    private readonly SemaphoreSlim _accepted = new(0);
    private readonly TaskCompletionSource<(Errno, AcceptBackoff)> _error = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<(Errno, AcceptBackoff)> _secondError = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _failed;
    private int _seen;

    public bool Blocks { get; init; }

    public bool FailFirst { get; init; }

    public ManualResetEventSlim Unblock { get; } = new();

    public ConcurrentQueue<LoopSocket> Sockets { get; } = new();

    public ConcurrentQueue<int> AcceptedOn { get; } = new();

    public Task<(Errno Error, AcceptBackoff Backoff)> Error => _error.Task;

    public Task<(Errno Error, AcceptBackoff Backoff)> SecondError => _secondError.Task;

    public void OnAccepted(EventLoop loop, LoopSocket socket)
    {
        Assert.True(loop.IsCurrent);
        if (FailFirst && !_failed)
        {
            _failed = true;
            throw new InvalidOperationException("first");
        }

        Sockets.Enqueue(socket);
        AcceptedOn.Enqueue(loop.Index);
        _accepted.Release();
        if (Blocks)
        {
            Unblock.Wait(LoopFixture.Limit);
        }
    }

    public void OnAcceptError(EventLoop loop, Errno error, AcceptBackoff backoff)
    {
        if (!_error.TrySetResult((error, backoff)))
        {
            _secondError.TrySetResult((error, backoff));
        }
    }

    public async Task WaitForAsync(int count)
    {
        for (; _seen < count; _seen++)
        {
            Assert.True(await _accepted.WaitAsync(LoopFixture.Limit), $"{_seen} of {count} connections were accepted");
        }
    }
}
