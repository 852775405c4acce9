using System.Net;
using Microsoft.Extensions.Logging;
using Ztunnel.Telemetry.Logging;

namespace Ztunnel.Dns.Telemetry;

/// <summary>What DNS capture tells operators (ids 7000–7099). In shared mode the lines of one pod say which: dns_proxy{wl=namespace/name}.</summary>
internal static partial class DnsLog
{
    private static readonly EventId QueryAnsweredId = new(7000, nameof(QueryAnswered));

    /// <summary>One query's story: fields only, no text (data-path 7.7). Asked for only where debug is on.</summary>
    public static void QueryAnswered(ILogger log, QueryLogEntry entry) => log.Log(LogLevel.Debug, QueryAnsweredId, entry, null, static (_, _) => "");

    [LoggerMessage(7001, LogLevel.Information, "starting local DNS server")]
    public static partial void Serving(ILogger log, IPEndPoint address, string component);

    [LoggerMessage(7002, LogLevel.Error, "Failed TCP handshake {error}")]
    public static partial void AcceptFailed(ILogger log, string error, LogSpan? pod);

    [LoggerMessage(7003, LogLevel.Debug, "unimplemented op_code: {opcode}")]
    public static partial void OpcodeNotImplemented(ILogger log, int opcode, LogSpan? pod);

    [LoggerMessage(7004, LogLevel.Debug, "a resolver cannot be asked: {error}")]
    public static partial void UpstreamSocketFailed(ILogger log, string error, LogSpan? pod);

    [LoggerMessage(7005, LogLevel.Debug, "DNS is not served on IPv6: {reason}")]
    public static partial void NoIPv6(ILogger log, string reason, LogSpan? pod);

    [LoggerMessage(7006, LogLevel.Warning, "{path} cannot be read: {consequence} ({error})")]
    public static partial void ResolversUnreadable(ILogger log, string path, string error, string consequence);

    [LoggerMessage(7007, LogLevel.Warning, "{path} names no server: names that the mesh does not know are answered SERVFAIL")]
    public static partial void ResolversNotNamed(ILogger log, string path);

    [LoggerMessage(7008, LogLevel.Information, "{path} has changed, resolvers are {servers}")]
    public static partial void ResolversChanged(ILogger log, string path, string servers);

    [LoggerMessage(7009, LogLevel.Information, "shutting down the DNS server")]
    public static partial void Stopping(ILogger log, LogSpan? pod);

    [LoggerMessage(7010, LogLevel.Information, "dns server drained")]
    public static partial void Stopped(ILogger log, LogSpan? pod);
}
