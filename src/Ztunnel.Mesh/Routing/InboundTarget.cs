using System.Net;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.Routing;

/// <summary>Where an inbound tunnel ends: the application's address, which authorization also looks at.</summary>
/// <param name="Application">Own address and the resolved target port. What is connected to differs only for PROXY, which may go by way of loopback.</param>
/// <param name="Protocol">What the application is told before the bytes.</param>
/// <param name="TunnelTarget">The destination that a PROXY header names; null without an application tunnel.</param>
/// <param name="RequestedService">The service, when the CONNECT named one.</param>
/// <param name="Candidates">Services the connection may have been meant for, for telemetry: see <see cref="InboundRouter.GuessService"/>.</param>
public sealed record InboundTarget(
    IPEndPoint Application, ApplicationProtocol Protocol, IPEndPoint? TunnelTarget, Service? RequestedService, IReadOnlyList<Service> Candidates);

/// <summary>Why a CONNECT is not served, and the status that says so.</summary>
public sealed record InboundRefusal(int Status, RefuseReason Reason, string Error);

/// <summary>Exactly one is set.</summary>
public readonly record struct InboundDecision(InboundTarget? Target, InboundRefusal? Refusal);
