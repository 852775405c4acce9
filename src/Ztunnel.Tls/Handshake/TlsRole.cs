namespace Ztunnel.Tls.Handshake;

/// <summary>Which side of the handshake we are.</summary>
public enum TlsRole
{
    Client,
    Server,
}
