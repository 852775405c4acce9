using System.Net;
using Microsoft.Extensions.Logging;

namespace Ztunnel.Dns.Telemetry;

/// <summary>What DNS capture tells operators (ids 7000–7099).</summary>
internal static partial class DnsLog
{
    private static readonly EventId QueryAnsweredId = new(7000, nameof(QueryAnswered));

    /// <summary>One query's story: fields only, no text (data-path 7.7). Asked for only where debug is on.</summary>
    public static void QueryAnswered(ILogger log, QueryLogEntry entry) => log.Log(LogLevel.Debug, QueryAnsweredId, entry, null, static (_, _) => "");

    [LoggerMessage(7001, LogLevel.Information, "starting local DNS server")]
    public static partial void Serving(ILogger log, IPEndPoint address, string component);

    [LoggerMessage(7002, LogLevel.Error, "Failed TCP handshake {error}")]
    public static partial void AcceptFailed(ILogger log, string error);

    [LoggerMessage(7003, LogLevel.Debug, "unimplemented op_code: {opcode}")]
    public static partial void OpcodeNotImplemented(ILogger log, int opcode);

    [LoggerMessage(7004, LogLevel.Debug, "a resolver cannot be asked: {error}")]
    public static partial void UpstreamSocketFailed(ILogger log, string error);

    [LoggerMessage(7005, LogLevel.Debug, "DNS is not served on IPv6: {reason}")]
    public static partial void NoIPv6(ILogger log, string reason);
}
