using Microsoft.Extensions.Logging;

namespace Ztunnel.InPod.Zds;

/// <summary>What is said about the connection to the node agent. Ids 6020 to 6039.</summary>
internal static partial class ZdsLog
{
    [LoggerMessage(6020, LogLevel.Warning, "failed to connect to the Istio CNI node agent over \"{path}\", is the node agent healthy? details: {error}. retrying in {delay}")]
    public static partial void ConnectFailed(ILogger log, string path, string error, string delay);

    [LoggerMessage(6021, LogLevel.Information, "handling new stream")]
    public static partial void Connected(ILogger log);

    [LoggerMessage(6022, LogLevel.Information, "received snapshot sent")]
    public static partial void SnapshotReceived(ILogger log);

    [LoggerMessage(6023, LogLevel.Error, "failed to start proxy: {error}")]
    public static partial void StartFailed(ILogger log, string error, string uid);

    [LoggerMessage(6024, LogLevel.Error, "failed to read message: {error}; the connection to the node agent is made anew, running pods stay")]
    public static partial void MessageUnreadable(ILogger log, string error);

    [LoggerMessage(6025, LogLevel.Error, "failed to process message: ProtocolError(\"{error}\"); the connection to the node agent is made anew, running pods stay")]
    public static partial void ProtocolViolated(ILogger log, string error);

    [LoggerMessage(6026, LogLevel.Error, "a request of the node agent took {elapsed}, and an answer now would be taken for the one to its next request: the connection is made anew instead")]
    public static partial void AnswerTooLate(ILogger log, string elapsed);

    [LoggerMessage(6027, LogLevel.Warning, "process stream ended: the node agent does not take answers: {error}")]
    public static partial void SendFailed(ILogger log, string error);

    [LoggerMessage(6028, LogLevel.Information, "process stream ended with eof")]
    public static partial void Ended(ILogger log);

    [LoggerMessage(6029, LogLevel.Warning, "process stream ended: {error}")]
    public static partial void Broken(ILogger log, string error);

    [LoggerMessage(6030, LogLevel.Information, "drain requested")]
    public static partial void DrainRequested(ILogger log);

    [LoggerMessage(6031, LogLevel.Error, "a session with the node agent failed unexpectedly; the connection is made anew, running pods stay")]
    public static partial void SessionFailed(ILogger log, Exception problem);
}
