namespace Ztunnel.ControlPlane.Xds;

/// <summary>What is subscribed to, in the order of the requests (control-path 3.2).</summary>
internal enum ResourceType
{
    Address,
    Authorization,
}

internal static class ResourceTypes
{
    private const string AddressUrl = "type.googleapis.com/istio.workload.Address";
    private const string AuthorizationUrl = "type.googleapis.com/istio.security.Authorization";

    public static readonly ResourceType[] All = [ResourceType.Address, ResourceType.Authorization];

    public static string Url(ResourceType type) => type == ResourceType.Address ? AddressUrl : AuthorizationUrl;

    public static ResourceType? FromUrl(string url) => url switch
    {
        AddressUrl => ResourceType.Address,
        AuthorizationUrl => ResourceType.Authorization,
        _ => null,
    };
}
