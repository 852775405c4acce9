namespace Ztunnel;

/// <summary>The daemon cannot start; the message is for the operator and names what is missing.</summary>
public sealed class StartException(string message, Exception? cause = null) : Exception(message, cause);
