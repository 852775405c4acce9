using Ztunnel.InPod.Pods;
using Ztunnel.Proxy.Telemetry;

namespace Ztunnel.Serving;

/// <summary>One served pod as operators see it.</summary>
/// <param name="Pod">Who it is.</param>
/// <param name="State">Whether it is served.</param>
/// <param name="Failure">Why it is not.</param>
/// <param name="Inbound">What others sent to it.</param>
/// <param name="Outbound">What it sent to others.</param>
public sealed record PodView(PodIdentity Pod, PodState State, string? Failure, PodTrafficTotals Inbound, PodTrafficTotals Outbound);
