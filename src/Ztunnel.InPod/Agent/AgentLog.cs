using Microsoft.Extensions.Logging;

namespace Ztunnel.InPod.Agent;

/// <summary>What the local node agent says. Ids 6040 to 6059. Arguments that the text does not mention become fields of the line.</summary>
internal static partial class AgentLog
{
    [LoggerMessage(6040, LogLevel.Information, "pod list loaded")]
    public static partial void ListLoaded(ILogger log, string path, int pods);

    [LoggerMessage(6041, LogLevel.Error, "pod list not loaded; the pods known before stay")]
    public static partial void ListRefused(ILogger log, string error);

    [LoggerMessage(6042, LogLevel.Warning, "network namespace of a listed pod cannot be opened; it is tried again every 5 seconds")]
    public static partial void NamespaceMissing(ILogger log, string name, string @namespace, string error);

    [LoggerMessage(6043, LogLevel.Error, "pod not captured; it is tried again every 5 seconds")]
    public static partial void CaptureFailed(ILogger log, string name, string @namespace, string error);

    [LoggerMessage(6044, LogLevel.Information, "pod captured and handed over")]
    public static partial void PodHandedOver(ILogger log, string name, string @namespace);

    [LoggerMessage(6045, LogLevel.Information, "pod released")]
    public static partial void PodReleased(ILogger log, string name, string @namespace);

    [LoggerMessage(6046, LogLevel.Warning, "rules of a released pod not removed")]
    public static partial void ReleaseFailed(ILogger log, string name, string @namespace, string error);

    [LoggerMessage(6047, LogLevel.Information, "node proxy connected, snapshot sent")]
    public static partial void ProxyConnected(ILogger log, int pods);

    [LoggerMessage(6048, LogLevel.Information, "node proxy disconnected")]
    public static partial void ProxyDisconnected(ILogger log, string reason);

    [LoggerMessage(6049, LogLevel.Warning, "node proxy refused a pod and tries again by itself")]
    public static partial void PodRefused(ILogger log, string pod, string error);

    [LoggerMessage(6050, LogLevel.Information, "waiting for node proxies")]
    public static partial void Listening(ILogger log, string socket);
}
