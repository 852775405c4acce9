namespace Ztunnel.ControlPlane.Ca;

/// <summary>An authority that cannot sign; the message names the file or the answer that is to blame.</summary>
public sealed class AuthorityException(string message, Exception? cause = null) : Exception(message, cause);
