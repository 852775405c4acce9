using Microsoft.Extensions.Logging;

namespace Ztunnel.ControlPlane.LocalFile;

/// <summary>What the local file source logs. Ids 5000–5099.</summary>
internal static partial class LocalFileLog
{
    // Text and the first two fields are the reference's.
    [LoggerMessage(5000, LogLevel.Information, "local config initialized")]
    public static partial void Loaded(ILogger logger, int num_workloads, int num_policies, int num_services, string source);

    [LoggerMessage(5001, LogLevel.Information, "{Source}: reloaded; changed: {Workloads} workloads, {Services} services, {Policies} policies")]
    public static partial void Reloaded(ILogger logger, string source, int workloads, int services, int policies);

    [LoggerMessage(5002, LogLevel.Error, "{Source} has changed and cannot be used; what was loaded before stays in force:\n{Problems}")]
    public static partial void Refused(ILogger logger, string source, string problems);

    [LoggerMessage(5003, LogLevel.Error, "{Source} cannot be opened any more; what was loaded before stays in force")]
    public static partial void Missing(ILogger logger, string source);
}
