using Microsoft.Extensions.Logging;

namespace Ztunnel.ControlPlane.Ca;

/// <summary>What certificate authorities log. Ids 5300–5399.</summary>
internal static partial class CaLog
{
    [LoggerMessage(5300, LogLevel.Warning,
        "FAKE CA IN USE: certificates are signed in this process with the key in {RootFile}. Whoever can read that file can be any workload of this mesh. Never use this outside of tests")]
    public static partial void EmbeddedAuthorityInUse(ILogger logger, string rootFile);

    [LoggerMessage(5301, LogLevel.Warning, "the root key file {RootFile} can be read by others than its owner; its mode should be 0600")]
    public static partial void RootKeyExposed(ILogger logger, string rootFile);
}
