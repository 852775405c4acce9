namespace Ztunnel.ControlPlane.Xds.Translation;

/// <summary>A resource that cannot be used; the message goes into the NACK.</summary>
internal sealed class RejectedResourceException(string reason) : Exception(reason);
