namespace Ztunnel.Http2;

/// <summary>Which end of the tunnel this connection is: the client opens CONNECT streams, the server answers them.</summary>
public enum Http2Role
{
    Client,
    Server,
}
