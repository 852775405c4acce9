using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Tests.Sockets;

/// <summary>Counts what a socket tells, and lets a test wait for it.</summary>
internal sealed class RecordingHandler : ISocketHandler
{
    private readonly TaskCompletionSource _readable = new();
    private readonly TaskCompletionSource _writable = new();
    private readonly TaskCompletionSource _hangup = new();

    public Action? WhenReadable { get; init; }

    public int ReadableCount { get; private set; }

    public int WritableCount { get; private set; }

    public int HangupCount { get; private set; }

    public Task Readable => _readable.Task.WaitAsync(LoopFixture.Limit);

    public Task Writable => _writable.Task.WaitAsync(LoopFixture.Limit);

    public Task Hangup => _hangup.Task.WaitAsync(LoopFixture.Limit);

    public void OnReadable()
    {
        ReadableCount++;
        _readable.TrySetResult();
        WhenReadable?.Invoke();
    }

    public void OnWritable()
    {
        WritableCount++;
        _writable.TrySetResult();
    }

    public void OnHangup()
    {
        HangupCount++;
        _hangup.TrySetResult();
    }
}
