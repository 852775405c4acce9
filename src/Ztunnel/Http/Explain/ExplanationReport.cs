using Ztunnel.Mesh.Explaining;
using Ztunnel.Mesh.Routing;
using Ztunnel.Telemetry.Failures;
using Ztunnel.Tls.Certificates;

namespace Ztunnel.Http.Explain;

/// <summary>Everything that is known about a connection which need not exist.</summary>
/// <param name="Explanation">What the snapshot says.</param>
/// <param name="Certificate">What this node holds for the source's identity; null when the source is not on this node, or nobody has asked for it yet.</param>
/// <param name="Failures">The latest failures on the same way, latest first.</param>
/// <param name="Now">When the question was asked.</param>
public sealed record ExplanationReport(ConnectionExplanation Explanation, CertificateStatus? Certificate, IReadOnlyList<FailureGroup> Failures, DateTimeOffset Now)
{
    /// <summary>Why the connection would not be delivered; null when nothing that is known stands in its way.</summary>
    public string? Obstacle =>
        Explanation.Kind == RouteKind.Refuse ? Explanation.Error
        : Explanation.Kind != RouteKind.Tcp && Certificate is { State: CertificateState.Unavailable } missing ? $"no certificate for {missing.Identity}: {missing.Error}"
        : Explanation.Authorization is { Decision: { Allowed: false } denied } ? $"denied by policy: {denied.Reason}"
        : null;
}
