namespace Ztunnel.Mesh.Routing;

/// <summary>Why routing refuses a connection: a stable code beside the error text.</summary>
public enum RefuseReason : byte
{
    None,

    /// <summary>The destination is one of our own listeners.</summary>
    RecursiveCall,

    /// <summary>The service has no endpoint that can be used.</summary>
    NoHealthyUpstream,
    UnknownWaypoint,
    UnknownNetworkGateway,

    /// <summary>A workload of another network, not reached through a service.</summary>
    NoServiceForAddress,

    /// <summary>The workload has neither an address nor a way to one.</summary>
    NoValidDestination,

    /// <summary>The :authority of a CONNECT cannot be read.</summary>
    InvalidAuthority,

    /// <summary>The :authority of a CONNECT is an address that is not ours to serve.</summary>
    AddressMismatch,
    UnknownHostname,

    /// <summary>The :authority of a CONNECT is a service this workload is no endpoint of.</summary>
    NotAnEndpoint,
    UnknownServicePort,

    /// <summary>The source is known from its node agent only, and the decision depends on its record.</summary>
    SourceRecordMissing,
    ServiceWithoutAddress,
}
