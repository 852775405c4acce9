using System.Net;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Ztunnel.Protos.Discovery;
using Ztunnel.Protos.Security;
using Authorization = Ztunnel.Protos.Security.Authorization;
using Wire = Ztunnel.Protos.Workloads;

namespace Ztunnel.ControlPlane.Tests.Xds;

/// <summary>Small resources and responses for tests.</summary>
internal static class Resources
{
    public const string AddressUrl = "type.googleapis.com/istio.workload.Address";
    public const string AuthorizationUrl = "type.googleapis.com/istio.security.Authorization";

    private static int Nonces;

    public static Resource Workload(string uid, string ip = "10.0.0.1", string version = "") =>
        Of(uid, version, new Wire.Address { Workload = new Wire.Workload { Uid = uid, Namespace = "shop", Addresses = { Bytes(ip) } } });

    /// <summary>A workload that cannot be used: its address has five bytes.</summary>
    public static Resource BadWorkload(string uid, string version = "") =>
        Of(uid, version, new Wire.Address { Workload = new Wire.Workload { Uid = uid, Namespace = "shop", Addresses = { ByteString.CopyFrom(1, 2, 3, 4, 5) } } });

    public static Resource Service(string hostname, string vip, string version = "") =>
        Of($"shop/{hostname}", version, new Wire.Address { Service = new Wire.Service { Namespace = "shop", Hostname = hostname, Name = hostname, Addresses = { new Wire.NetworkAddress { Address = Bytes(vip) } } } });

    public static Resource Policy(string name, params Match[] matches) => Of($"shop/{name}", "", Authorization(name, matches));

    public static Authorization Authorization(string name, params Match[] matches) =>
        new() { Name = name, Namespace = "shop", Scope = Scope.Namespace, Rules = { new Rule { Clauses = { new Clause { Matches = { matches } } } } } };

    public static Resource Of(string name, string version, IMessage payload) =>
        new() { Name = name, Version = version, Resource_ = new Any { TypeUrl = payload is Authorization ? AuthorizationUrl : AddressUrl, Value = payload.ToByteString() } };

    public static DeltaDiscoveryResponse Addresses(params Resource[] resources) => Response(AddressUrl, resources);

    public static DeltaDiscoveryResponse Policies(params Resource[] resources) => Response(AuthorizationUrl, resources);

    public static DeltaDiscoveryResponse RemovedAddresses(params string[] names)
    {
        DeltaDiscoveryResponse response = Response(AddressUrl);
        response.RemovedResources.Add(names);
        return response;
    }

    public static ByteString Bytes(string ip) => ByteString.CopyFrom(IPAddress.Parse(ip).GetAddressBytes());

    private static DeltaDiscoveryResponse Response(string type, params Resource[] resources) =>
        new() { TypeUrl = type, Nonce = $"nonce-{Interlocked.Increment(ref Nonces)}", Resources = { resources } };
}
