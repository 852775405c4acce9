using Microsoft.Extensions.Logging;

namespace Ztunnel.ControlPlane.Revocation;

/// <summary>What is said about the revocation file. Ids 5400–5499.</summary>
internal static partial class RevocationLog
{
    [LoggerMessage(5400, LogLevel.Information, "{Path}: {Lists} certificate revocation lists in force, {Revoked} certificates revoked")]
    public static partial void Loaded(ILogger logger, string path, int lists, long revoked);

    [LoggerMessage(5401, LogLevel.Warning, "{Path} cannot be opened: no certificate is taken for revoked until it is there; check CRL_PATH and its mount ({Error})")]
    public static partial void MissingAtStart(ILogger logger, string path, string error);

    [LoggerMessage(5402, LogLevel.Warning, "{Path} cannot be opened any more; what was loaded before stays in force")]
    public static partial void Missing(ILogger logger, string path);

    [LoggerMessage(5403, LogLevel.Warning, "{Path} cannot be used: {Problem}; what was loaded before stays in force")]
    public static partial void Refused(ILogger logger, string path, string problem);

    [LoggerMessage(5404, LogLevel.Warning, "{Path}: a list should have been replaced at {NextUpdate:u}; it is used all the same")]
    public static partial void Overdue(ILogger logger, string path, DateTimeOffset nextUpdate);
}
