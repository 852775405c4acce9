using Ztunnel.Linux.Loop;

namespace Ztunnel.Proxy;

/// <summary>Asks a loop for something that only its own thread may touch.</summary>
internal static class OnLoop
{
    /// <summary>Runs <paramref name="function"/> on the loop, behind what was posted before; the result comes back on the thread pool. Cancelled when the loop has ended.</summary>
    public static Task<TResult> RunAsync<TState, TResult>(EventLoop loop, TState state, Func<TState, TResult> function)
    {
        var completion = new TaskCompletionSource<TResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        bool accepted = loop.Post(static call =>
        {
            (TState state, Func<TState, TResult> function, TaskCompletionSource<TResult> completion) = ((TState, Func<TState, TResult>, TaskCompletionSource<TResult>))call!;
            try
            {
                completion.SetResult(function(state));
            }
            catch (Exception exception) // goes to whoever asked
            {
                completion.SetException(exception);
            }
        }, (state, function, completion));
        if (!accepted)
            completion.SetCanceled();
        return completion.Task;
    }
}
