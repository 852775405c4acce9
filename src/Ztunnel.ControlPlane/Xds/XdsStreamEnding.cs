using Ztunnel.ControlPlane.Grpc;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.ControlPlane.Xds;

/// <summary>How a stream ended, sorted as operators know it (control-path 3.9).</summary>
/// <param name="Status">Null: the server ended it with OK.</param>
internal sealed record XdsStreamEnding(XdsTermination Reason, GrpcStatus? Status, bool IsRequestTooLarge)
{
    // istiod's and grpc-go's words for a request above the server's limit (control-path 3.6).
    private const string TooLargeText = "received message larger than max";

    private static readonly string[] RecyclingTexts = ["transport is closing", "received prior goaway"];

    public static readonly XdsStreamEnding Completed = new(XdsTermination.Complete, null, IsRequestTooLarge: false);

    /// <param name="error">Why it ended.</param>
    /// <param name="established">The server had begun to answer.</param>
    public static XdsStreamEnding From(GrpcException error, bool established)
    {
        GrpcStatus status = error.Status;
        bool tooLarge = status.Code == GrpcStatusCode.ResourceExhausted && status.Detail.Contains(TooLargeText, StringComparison.Ordinal);
        if (!established) return new XdsStreamEnding(XdsTermination.ConnectionError, status, tooLarge);

        // Servers recycle connections: what then happens to the stream depends on who is faster, and is nothing to warn of.
        bool recycled = status.Code is GrpcStatusCode.Unknown or GrpcStatusCode.Cancelled or GrpcStatusCode.DeadlineExceeded
            || (status.Code == GrpcStatusCode.Unavailable && (error.IsTransportFailure || RecyclingTexts.Any(text => status.Detail.Contains(text, StringComparison.Ordinal))));
        return new XdsStreamEnding(recycled ? XdsTermination.Reconnect : XdsTermination.Error, status, tooLarge);
    }

    /// <summary>What an operator might look at, by the words of the failure.</summary>
    public string Hint => Status is not { } status ? ""
        : status.Detail.Contains("authentication failure", StringComparison.Ordinal) ? " (the control plane refused our token; its log says why)"
        : status.Detail.Contains("name resolution", StringComparison.Ordinal) || status.Detail.Contains("Name or service not known", StringComparison.Ordinal) ? " (is DNS reachable?)"
        : "";
}
