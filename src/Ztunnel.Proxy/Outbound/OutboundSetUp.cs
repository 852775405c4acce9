using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Propagation;
using Ztunnel.Mesh.Routing;
using Ztunnel.Proxy.Connections;

namespace Ztunnel.Proxy.Outbound;

/// <summary>What is needed only until the relay runs; let go of then, since connections are many and long.</summary>
internal sealed class OutboundSetUp(TraceParent trace)
{
    private CancellationTokenSource? _cancellation;

    public TraceParent Trace { get; } = trace;

    public Workload? Local { get; set; }

    public Route? Route { get; set; }

    public NextHop? Hop { get; set; }

    public int Attempts { get; set; }

    public int Status { get; set; }

    /// <summary>The stream or its tunnel ended before the CONNECT was answered.</summary>
    public bool AnswerMissing { get; set; }

    public bool HopRetried { get; set; }

    public long DeadlineMilliseconds { get; set; }

    public LoopSignal<ConnectAnswer>? Answer { get; set; }

    public CancellationToken Cancellation => (_cancellation ??= new CancellationTokenSource()).Token;

    public void Cancel() => _cancellation?.Cancel();

    /// <summary>Whether the same hop deserves one more attempt.</summary>
    public bool TryRetryHop(in ConnectionOutcome outcome)
    {
        if (!AnswerMissing || HopRetried || outcome.Reason == EndReason.Drained)
            return false;

        HopRetried = true;
        return true;
    }
}

/// <summary>The answer to a CONNECT: a status, or how the stream ended without one.</summary>
internal readonly record struct ConnectAnswer(int Status, ConnectionOutcome Outcome)
{
    public static ConnectAnswer TimedOut { get; } = new(0, new ConnectionOutcome(EndReason.SetUpTimedOut, "timed out waiting for the answer to CONNECT"));
}
