using Microsoft.Extensions.Logging;

namespace Ztunnel.ControlPlane.Grpc;

/// <summary>What the gRPC channel logs. Ids 5100–5199.</summary>
internal static partial class GrpcLog
{
    [LoggerMessage(5100, LogLevel.Warning, "{Count} certificates in {Roots} cannot be read and are skipped")]
    public static partial void RootsSkipped(ILogger logger, int count, string roots);

    [LoggerMessage(5101, LogLevel.Warning, "{Problem}; the roots read before stay in use")]
    public static partial void RootsKept(ILogger logger, string problem);
}
