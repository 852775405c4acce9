using Ztunnel.Linux.Buffers;

namespace Ztunnel.Linux.Loop;

/// <summary>What a loop keeps its bytes in. A timer gives back what was not used for a while, and runs only while there is something to give back: an idle loop sleeps.</summary>
internal sealed class LoopMemory : IDisposable
{
    // Longer than the pauses of a busy connection, short enough that a burst is forgotten.
    private static readonly TimeSpan TrimInterval = TimeSpan.FromSeconds(5);

    private readonly ScratchBuffer _receiveScratch = new();
    private readonly ScratchBuffer _sendScratch = new();
    private readonly LoopTimer _trimTimer;

    public LoopMemory(EventLoop loop) => _trimTimer = new LoopTimer(loop, static memory => ((LoopMemory)memory!).Trim(), this);

    public BufferPool Buffers { get; } = new();

    public NativeBuffer ReceiveScratch => _receiveScratch.Use();

    public NativeBuffer SendScratch => _sendScratch.Use();

    /// <summary>Once each turn.</summary>
    public void ScheduleTrim()
    {
        if (!_trimTimer.IsArmed && (Buffers.NeedsTrim || _receiveScratch.IsTouched || _sendScratch.IsTouched))
        {
            _trimTimer.Arm(TrimInterval);
        }
    }

    public void Dispose()
    {
        _receiveScratch.Dispose();
        _sendScratch.Dispose();
        Buffers.Dispose();
    }

    private void Trim()
    {
        Buffers.Trim();
        _receiveScratch.Trim();
        _sendScratch.Trim();
    }
}
