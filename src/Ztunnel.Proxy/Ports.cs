namespace Ztunnel.Proxy;

/// <summary>The fixed ports of the data path (data-path 1.1). Redirection rules and peers depend on them, so no setting moves them.</summary>
public static class Ports
{
    public const int Outbound = 15001;
    public const int InboundPassthrough = 15006;
    public const int InboundHbone = 15008;
    public const int Socks5 = 15080;
}
