using System.Collections.Concurrent;
using Ztunnel.Linux.Loop;

namespace Ztunnel.Linux.Tests;

/// <summary>A group of loops that collects what handlers throw; a test that expects nothing fails when something is there.</summary>
public sealed class LoopFixture : IDisposable
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    public LoopFixture(int loops = 1) => Loops = LoopGroup.Start(loops, Unhandled.Enqueue);

    public LoopGroup Loops { get; }

    public EventLoop Loop => Loops.Loops[0];

    public ConcurrentQueue<Exception> Unhandled { get; } = new();

    /// <summary>Runs a function on the first loop; awaits inside come back to it.</summary>
    public Task<T> OnLoop<T>(Func<EventLoop, Task<T>> function) => On(Loop, function);

    public async Task OnLoop(Func<EventLoop, Task> function) => await On(Loop, async loop =>
    {
        await function(loop);
        return true;
    });

    public Task<T> OnLoop<T>(Func<EventLoop, T> function) => On(Loop, loop => Task.FromResult(function(loop)));

    public static Task<T> On<T>(EventLoop loop, Func<EventLoop, Task<T>> function)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        loop.Post(async _ =>
        {
            try
            {
                done.SetResult(await function(loop));
            }
            catch (Exception exception)
            {
                done.SetException(exception);
            }
        }, null);
        return done.Task.WaitAsync(Limit);
    }

    public void Dispose()
    {
        Loops.Dispose();
        Assert.Empty(Unhandled);
    }
}
