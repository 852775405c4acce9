using Microsoft.Extensions.Logging;
using Ztunnel.Telemetry.Logging;

namespace Ztunnel.ControlPlane.Xds;

/// <summary>What the xDS client logs. Ids 5200–5299.</summary>
internal static partial class XdsLog
{
    [LoggerMessage(5200, LogLevel.Information, "Stream established")]
    public static partial void Established(ILogger logger, LogSpan stream);

    [LoggerMessage(5201, LogLevel.Warning, "XDS client connection error: {Error}, retrying in {Delay}{Hint}")]
    public static partial void ConnectionError(ILogger logger, string error, TimeSpan delay, string hint, LogSpan stream);

    [LoggerMessage(5202, LogLevel.Warning, "XDS client error: {Error}, retrying in {Delay}{Hint}")]
    public static partial void StreamError(ILogger logger, string error, TimeSpan delay, string hint, LogSpan stream);

    [LoggerMessage(5203, LogLevel.Debug, "XDS client terminated: {Error}, retrying in {Delay}")]
    public static partial void Reconnecting(ILogger logger, string error, TimeSpan delay, LogSpan stream);

    [LoggerMessage(5204, LogLevel.Information, "XDS client complete, retrying in {Delay}")]
    public static partial void Completed(ILogger logger, TimeSpan delay, LogSpan stream);

    [LoggerMessage(5205, LogLevel.Debug, "received response: {Type}, {Resources} resources, {Removed} removed")]
    public static partial void Received(ILogger logger, string type, int resources, int removed, LogSpan stream);

    [LoggerMessage(5206, LogLevel.Error, "rejected {Count} parts of a response of type {Type}, the rest is in force: {Rejects}")]
    public static partial void Rejected(ILogger logger, int count, string type, string rejects, LogSpan stream);

    [LoggerMessage(5207, LogLevel.Error, "unknown type {Type}")]
    public static partial void UnknownType(ILogger logger, string type, LogSpan stream);

    [LoggerMessage(5208, LogLevel.Warning, "the control plane takes no request with all our names ({Error}); from now on they are not sent, and a full answer is compared instead")]
    public static partial void RequestTooLarge(ILogger logger, string error, LogSpan stream);

    [LoggerMessage(5209, LogLevel.Error, "a response could not be processed")]
    public static partial void Fault(ILogger logger, Exception error, LogSpan stream);
}
