using Ztunnel.Http2;
using Ztunnel.Linux.Loop;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Hbone;

namespace Ztunnel.Proxy.Outbound;

/// <summary>A CONNECT until it is answered: owns its stream, and whoever waits for the answer waits here.</summary>
internal sealed class ConnectAttempt(EventLoop loop, TimeSpan limit) : ITunnelStreamOwner
{
    private readonly LoopSignal<ConnectAnswer> _answer = new(loop, limit, ConnectAnswer.TimedOut);

    /// <summary>The answer, within the limit. Awaited once.</summary>
    public ValueTask<ConnectAnswer> Answer => _answer.Task;

    /// <summary>From now on at most this long.</summary>
    public void Limit(TimeSpan limit) => _answer.Limit(limit);

    /// <summary>Nobody needs the answer any more.</summary>
    public void Abandon() => _answer.TrySet(ConnectAnswer.Abandoned);

    void ITunnelStreamOwner.OnResponse(TunnelStream stream, in Http2Response response) => _answer.TrySet(new ConnectAnswer(response.Status, response.Baggage, default));

    void ITunnelStreamOwner.OnTransferred(int toTunnel, int toApplication)
    {
    }

    void ITunnelStreamOwner.OnEnded(TunnelStream stream, ConnectionOutcome outcome) => _answer.TrySet(new ConnectAnswer(0, null, outcome));
}

/// <summary>The answer to a CONNECT: a status with the peer's baggage, or how the stream ended without one.</summary>
internal readonly record struct ConnectAnswer(int Status, string? Baggage, ConnectionOutcome Outcome)
{
    public static ConnectAnswer TimedOut { get; } = new(0, null, new ConnectionOutcome(EndReason.SetUpTimedOut, "timed out waiting for the answer to CONNECT"));

    public static ConnectAnswer Abandoned { get; } = new(0, null, ConnectionOutcome.Drained);

    /// <summary>The stream or its tunnel ended without an answer: that says nothing about the endpoint, and nothing was delivered.</summary>
    public bool IsMissing => Status == 0 && Outcome.Reason is EndReason.StreamReset or EndReason.TunnelLost or EndReason.TunnelTimedOut;

    /// <summary>Why there is no connection, in the words of the log.</summary>
    public ConnectionOutcome Describe() => Status != 0
        ? new ConnectionOutcome(EndReason.HttpStatus, $"http status: {ProtocolTexts.DescribeStatus(Status)}")
        : Outcome.Reason == EndReason.StreamReset
            ? new ConnectionOutcome(EndReason.Http2Failed, Outcome.Error!.Replace("io error: ", "h2 failed: ", StringComparison.Ordinal))
            : Outcome;
}
