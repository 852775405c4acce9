using System.Net;
using Ztunnel.Mesh.Identity;

namespace Ztunnel.Mesh.Authorization;

/// <summary>
/// A connection as policies see it (control-path 6.1). The identity is the verified client certificate's, null for plaintext; addresses are canonical; the destination
/// port is the resolved target port, never 15008.
/// </summary>
public readonly record struct PolicyConnection(SpiffeId? SourceIdentity, IPAddress Source, IPEndPoint Destination);
