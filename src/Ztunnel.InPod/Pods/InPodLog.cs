using Microsoft.Extensions.Logging;

namespace Ztunnel.InPod.Pods;

/// <summary>What is said about pods and their sources. Ids 6000 to 6099. Arguments that the text does not mention become fields of the line.</summary>
internal static partial class InPodLog
{
    [LoggerMessage(6000, LogLevel.Information, "pod received, starting proxy")]
    public static partial void PodReceived(ILogger log, string uid, string name, string @namespace);

    [LoggerMessage(6001, LogLevel.Warning, "failed to start the proxy of a pod; it is tried again every 5 seconds")]
    public static partial void StartFailed(ILogger log, string uid, string name, string @namespace, string? error);

    [LoggerMessage(6002, LogLevel.Information, "pod removed, stopping proxy")]
    public static partial void PodRemoved(ILogger log, string uid, string name, string @namespace);

    [LoggerMessage(6003, LogLevel.Error, "failed to stop the proxy of a pod")]
    public static partial void StopFailed(ILogger log, string uid, string name, string @namespace, string error);
}
