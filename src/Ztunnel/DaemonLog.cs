using System.Net;
using Microsoft.Extensions.Logging;
using Ztunnel.Mesh.Identity;

namespace Ztunnel;

/// <summary>Lines of the process itself: ids 1 to 99. Arguments that a message does not mention are its fields.</summary>
internal static partial class DaemonLog
{
    [LoggerMessage(1, LogLevel.Information, "version: {Build}")]
    public static partial void Version(ILogger logger, BuildInfo build);

    [LoggerMessage(17, LogLevel.Information, "running with config: {Config}")]
    public static partial void Configuration(ILogger logger, string config);

    [LoggerMessage(2, LogLevel.Information, "set file descriptor limits from {Old} to {New}")]
    public static partial void DescriptorLimitRaised(ILogger logger, ulong old, ulong @new);

    [LoggerMessage(3, LogLevel.Warning, "failed to set file descriptor limits: {Reason}")]
    public static partial void DescriptorLimitFailed(ILogger logger, string reason);

    [LoggerMessage(4, LogLevel.Information, "listener established")]
    public static partial void ListenerEstablished(ILogger logger, IPEndPoint address, string component);

    [LoggerMessage(5, LogLevel.Information, "listener drained")]
    public static partial void ListenerDrained(ILogger logger, IPEndPoint address, string component);

    [LoggerMessage(6, LogLevel.Information, "Task '{Task}' complete ({Elapsed}), still awaiting {Left} tasks")]
    public static partial void TaskComplete(ILogger logger, string task, string elapsed, int left);

    [LoggerMessage(7, LogLevel.Information, "Task '{Task}' complete ({Elapsed}), marking server ready")]
    public static partial void LastTaskComplete(ILogger logger, string task, string elapsed);

    [LoggerMessage(8, LogLevel.Information, "received signal {Signal}, starting shutdown")]
    public static partial void SignalReceived(ILogger logger, string signal);

    [LoggerMessage(9, LogLevel.Information, "shutdown requested on the admin port, starting shutdown")]
    public static partial void ShutdownRequested(ILogger logger);

    [LoggerMessage(10, LogLevel.Warning, "received signal {Signal} again, exiting now")]
    public static partial void SecondSignal(ILogger logger, string signal);

    [LoggerMessage(11, LogLevel.Warning, "shutdown did not finish within {Limit}, exiting now")]
    public static partial void ShutdownOverdue(ILogger logger, string limit);

    [LoggerMessage(12, LogLevel.Information, "new log filter is {Filter}")]
    public static partial void FilterChanged(ILogger logger, string filter);

    [LoggerMessage(13, LogLevel.Information, "{Part} enabled")]
    public static partial void PartEnabled(ILogger logger, string part);

    [LoggerMessage(14, LogLevel.Warning, "TLS12_ENABLED holds towards the control plane only: connections between workloads use TLS 1.3")]
    public static partial void Tls12Ignored(ILogger logger);

    [LoggerMessage(15, LogLevel.Error, "request {Path} on the {Component} port failed")]
    public static partial void RequestFailed(ILogger logger, string path, string component, Exception exception);

    [LoggerMessage(16, LogLevel.Error, "an event loop's handler failed")]
    public static partial void LoopHandlerFailed(ILogger logger, Exception exception);

    [LoggerMessage(21, LogLevel.Warning, "queries to resolvers are not marked and may be captured again: {error}")]
    public static partial void DnsUnmarked(ILogger logger, string error);

    [LoggerMessage(18, LogLevel.Debug, "certificate fetch succeeded")]
    public static partial void CertificateIssued(ILogger logger, SpiffeId id, TimeSpan took);

    [LoggerMessage(20, LogLevel.Warning, "ZTUNNEL_KEY_LOG_FILE is set: THE SECRETS OF ALL CONNECTIONS BETWEEN WORKLOADS ARE WRITTEN TO {Path}; whoever reads this file can decrypt their traffic. For debugging on a test machine only")]
    public static partial void KeyLogInUse(ILogger logger, string path);

    [LoggerMessage(19, LogLevel.Warning, "certificate fetch failed ({Reason}) for {Identity}, retrying at {Retry:u}")]
    public static partial void CertificateFailed(ILogger logger, string reason, SpiffeId identity, DateTimeOffset retry, bool still_valid);

    [LoggerMessage(22, LogLevel.Warning, "{Warning}")]
    public static partial void SettingLeftOut(ILogger logger, string warning);

    [LoggerMessage(25, LogLevel.Warning, "memory is short: new connections are refused until some is free again")]
    public static partial void MemoryShort(ILogger logger, long used_bytes, long limit_bytes, long refused);

    [LoggerMessage(26, LogLevel.Information, "memory suffices again: new connections are accepted")]
    public static partial void MemorySuffices(ILogger logger, long used_bytes, long limit_bytes, long refused);

    [LoggerMessage(27, LogLevel.Warning, "the use of memory cannot be read: {Reason}")]
    public static partial void MemoryUnreadable(ILogger logger, string reason);

    [LoggerMessage(23, LogLevel.Warning, "COMPLIANCE_POLICY=pqc holds between workloads; towards the control plane the TLS library chooses the key exchange, so require the hybrid group there, too")]
    public static partial void PostQuantumBetweenWorkloadsOnly(ILogger logger);

    [LoggerMessage(24, LogLevel.Warning, "there is neither XDS_ADDRESS nor LOCAL_XDS_PATH nor LOCAL_XDS: the mesh is empty and stays so")]
    public static partial void MeshWithoutSource(ILogger logger);
}
