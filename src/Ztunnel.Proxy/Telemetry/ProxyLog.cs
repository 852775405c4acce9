using System.Net;
using Microsoft.Extensions.Logging;

namespace Ztunnel.Proxy;

/// <summary>What the data path tells operators (ids 2000–2099). One connection's story is in the access log. Arguments that a message does not mention are its fields.</summary>
internal static partial class ProxyLog
{
    [LoggerMessage(2000, LogLevel.Information, "listener established")]
    public static partial void ListenerEstablished(ILogger log, IPEndPoint address, string component, bool transparent);

    [LoggerMessage(2001, LogLevel.Error, "Failed TCP handshake {error}")]
    public static partial void AcceptFailed(ILogger log, string error);

    [LoggerMessage(2002, LogLevel.Warning, "timed out waiting for workload '{serviceAccount}.{ns} ({name})' from xds")]
    public static partial void LocalWorkloadTimedOut(ILogger log, string serviceAccount, string ns, string name);

    [LoggerMessage(2003, LogLevel.Warning, "drain duration expired with pending connections, forcefully shutting down")]
    public static partial void DrainExpired(ILogger log);

    [LoggerMessage(2004, LogLevel.Information, "shutdown complete")]
    public static partial void ShutdownComplete(ILogger log, string component);

    [LoggerMessage(2005, LogLevel.Warning, "failed to read SO_ORIGINAL_DST: {error}")]
    public static partial void OriginalDestinationUnreadable(ILogger log, string error);

    [LoggerMessage(2006, LogLevel.Warning, "failed to bind local addr: {step}: {error}")]
    public static partial void SpoofFailed(ILogger log, string step, string error);

    [LoggerMessage(2007, LogLevel.Information, "connection {source}({identity})->{destination} ({uid}) closed because it's no longer allowed after a policy update")]
    public static partial void ClosedByPolicy(ILogger log, IPAddress source, string identity, IPEndPoint destination, string uid);

    [LoggerMessage(2008, LogLevel.Error, "a connection failed unexpectedly")]
    public static partial void Unexpected(ILogger log, Exception exception);

    [LoggerMessage(2009, LogLevel.Warning, "skipping unknown policy {policy}")]
    public static partial void UnknownPolicy(ILogger log, string policy);

    [LoggerMessage(2020, LogLevel.Information, "{direction} tunnel with {identity} closed because a certificate of its peer has been revoked; {streams} streams ended")]
    public static partial void TunnelRevoked(ILogger log, string direction, string identity, int streams);

    [LoggerMessage(2010, LogLevel.Warning, "failed to negotiate socks connection: {error}")]
    public static partial void SocksFailed(ILogger log, string error);
}
