using Ztunnel.Http2;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Propagation;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Hbone;

namespace Ztunnel.Proxy.Outbound;

/// <summary>What an attempt at a next hop led to: a connected socket, an answered stream, or an outcome.</summary>
internal readonly record struct HopResult
{
    public LoopSocket? Socket { get; private init; }

    public TunnelStream? Stream { get; private init; }

    /// <summary>Double HBONE: what the workload behind the gateway says of itself, and who it proved to be.</summary>
    public Baggage? InnerBaggage { get; private init; }

    public SpiffeId? InnerPeer { get; private init; }

    public ConnectionOutcome Outcome { get; private init; }

    /// <summary>Another endpoint may serve the connection: this one gave no considered answer.</summary>
    public bool IsWorthAnotherHop { get; private init; }

    /// <summary>The same hop deserves one more attempt: this failure said nothing about it.</summary>
    public bool IsWorthAnotherAttempt { get; private init; }

    /// <summary>The endpoint is to be avoided for a while.</summary>
    public bool IsEndpointAtFault { get; init; }

    public bool Succeeded => Socket is not null || Stream is not null;

    public static HopResult Connected(LoopSocket socket) => new() { Socket = socket };

    public static HopResult Answered(TunnelStream stream) => new() { Stream = stream };

    public static HopResult AnsweredBehindGateway(TunnelStream stream, string? baggage, SpiffeId? peer) =>
        new() { Stream = stream, InnerBaggage = baggage is null ? null : Baggage.Parse(baggage), InnerPeer = peer };

    public static HopResult Failed(in ConnectionOutcome outcome)
    {
        bool isOfPeer = outcome.Reason is not (EndReason.LocalWorkloadUnknown or EndReason.IdentityUnavailable or EndReason.Drained);
        return new HopResult { Outcome = outcome, IsWorthAnotherHop = isOfPeer, IsEndpointAtFault = isOfPeer };
    }

    // 401 and 400 are the destination's considered answer: another endpoint of the same service would give the same one.
    public static HopResult Refused(in ConnectAnswer answer)
    {
        bool isOfEndpoint = answer.Status is 0 or 503 && answer.Outcome.Reason != EndReason.Drained;
        return new HopResult { Outcome = answer.Describe(), IsWorthAnotherHop = isOfEndpoint, IsEndpointAtFault = isOfEndpoint, IsWorthAnotherAttempt = answer.IsMissing };
    }

    /// <summary>The gateway did its part, and will choose another workload next time.</summary>
    public HopResult BehindGateway() => this with { IsWorthAnotherAttempt = IsWorthAnotherHop, IsEndpointAtFault = false };

    /// <summary>Lets go of what nobody wants any more.</summary>
    public void Discard()
    {
        Socket?.Dispose();
        Stream?.Abort(Http2ErrorCode.Cancel, ConnectionOutcome.Drained);
    }
}
