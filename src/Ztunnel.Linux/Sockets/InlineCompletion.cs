using System.Threading.Tasks.Sources;

namespace Ztunnel.Linux.Sockets;

/// <summary>
/// The state of one awaitable that completes inline on its loop. The runtime's own core would post every continuation through the synchronization context (and allocate for it);
/// here completion always happens on the thread the context leads to, so the continuation is simply called.
/// </summary>
internal struct InlineCompletion<TResult>
{
    private Action<object?>? _continuation;
    private object? _state;
    private ExecutionContext? _executionContext;
    private TResult _result;
    private bool _isCompleted;

    public short Version { get; private set; }

    public readonly bool IsCompleted => _isCompleted;

    /// <summary>Makes it ready for the next use; tokens given out before are void.</summary>
    public void Reset()
    {
        Version++;
        _continuation = null;
        _state = null;
        _executionContext = null;
        _result = default!;
        _isCompleted = false;
    }

    /// <summary>Runs the continuation before it returns, which may reset this for another use: nothing of it may be touched afterwards.</summary>
    public void Complete(TResult result)
    {
        _result = result;
        _isCompleted = true;
        Action<object?>? continuation = _continuation;
        if (continuation is null)
        {
            return;
        }

        object? state = _state;
        if (_executionContext is { } context)
        {
            ExecutionContext.Run(context, static pair =>
            {
                (Action<object?> call, object? argument) = ((Action<object?>, object?))pair!;
                call(argument);
            }, (continuation, state));
            return;
        }

        continuation(state);
    }

    public readonly ValueTaskSourceStatus GetStatus(short token)
    {
        CheckToken(token);
        return _isCompleted ? ValueTaskSourceStatus.Succeeded : ValueTaskSourceStatus.Pending;
    }

    public readonly TResult GetResult(short token)
    {
        CheckToken(token);
        return _isCompleted ? _result : throw new InvalidOperationException("the result of a socket operation was read before it ended");
    }

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        CheckToken(token);
        if (_continuation is not null)
        {
            throw new InvalidOperationException("a socket operation is awaited once");
        }

        _state = state;
        _executionContext = (flags & ValueTaskSourceOnCompletedFlags.FlowExecutionContext) != 0 ? ExecutionContext.Capture() : null;
        _continuation = continuation;
    }

    private readonly void CheckToken(short token)
    {
        if (token != Version)
        {
            throw new InvalidOperationException("a socket operation is awaited once, and not after its result was taken");
        }
    }
}
