using Ztunnel.ControlPlane.Ca;
using Ztunnel.ControlPlane.Grpc;
using Ztunnel.ControlPlane.Xds;
using Ztunnel.Settings;
using Ztunnel.Tls.Handshake;

namespace Ztunnel.Control;

/// <summary>How the settings say the control plane is reached (control-path 2.2 "Control plane", 3.1, 3.3, 7.3).</summary>
internal static class ControlPlaneAccess
{
    public static XdsClientSettings Xds(ZtunnelSettings settings, Uri address) => new()
    {
        Channel = Channel(settings, address, settings.ControlPlane.XdsRoot, settings.ControlPlane.AltXdsHostname, settings.ControlPlane.XdsHeaders),
        Node = Node(settings),
        OnDemand = settings.ControlPlane.OnDemand,
    };

    public static CitadelClientSettings Citadel(ZtunnelSettings settings, Uri address, TlsSettings tls) => new()
    {
        Channel = Channel(settings, address, settings.ControlPlane.CaRoot, settings.ControlPlane.AltCaHostname, settings.ControlPlane.CaHeaders),
        CertificateLifetime = settings.ControlPlane.SecretTtl,
        // A node asks in the name of its pods; a dedicated proxy is its workload, and its token says so.
        Impersonate = settings.Mode.Mode == ProxyMode.Shared,
        Tls = tls,
    };

    internal static XdsNodeSettings Node(ZtunnelSettings settings) => new()
    {
        InstanceIp = settings.Node.InstanceIp,
        PodName = settings.Node.PodName,
        PodNamespace = settings.Node.PodNamespace,
        NodeName = settings.Node.NodeName ?? "",
        Metadata = [.. settings.ProxyMetadata],
        JsonMetadata = [.. settings.JsonMetadata],
    };

    private static GrpcChannelSettings Channel(ZtunnelSettings settings, Uri address, RootSource root, string? alternativeHostName, IEnumerable<SecretHeader> headers)
    {
        ControlPlaneSettings plane = settings.ControlPlane;
        return new GrpcChannelSettings
        {
            Address = address,
            Roots = TrustRoots.Parse(root.Kind == RootKind.Pem ? root.Text.TrimStart() : root.Text),
            AlternativeHostName = alternativeHostName,
            Token = plane.Token.IsDefault ? BearerToken.FromDefaultFile(plane.Token.PathOrToken) : BearerToken.Parse(plane.Token.PathOrToken),
            ClusterId = plane.ClusterId,
            Headers = [.. headers.Select(static header => new KeyValuePair<string, string>(header.Name, header.Value))],
            AllowTls12 = plane.Tls12Requested,
            // A dedicated proxy lives in the namespace that is redirected to it: without the mark its own stream would wait in its own queue for the state that the stream brings.
            Mark = settings.Mode.Mode == ProxyMode.Dedicated ? settings.Mode.PacketMark : null,
        };
    }
}
