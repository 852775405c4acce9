namespace Ztunnel.InPod.Redirection;

/// <summary>Rules could not be read, installed or removed; the message names the namespace, the command and its complaint.</summary>
public sealed class RedirectionException(string message) : Exception(message);
