using Ztunnel.Tls.Interop;

namespace Ztunnel.Tls.Handshake;

/// <summary>The group lists that this machine's library understands; found out once.</summary>
public static class KeyExchangeGroups
{
    private const string Hybrid = "X25519MLKEM768";
    private const string Classic = "X25519:P-256:P-384";

    // The star asks for a key share (3.5 and later), so that a peer without the hybrid group needs no second ClientHello.
    private static readonly string[] HybridFirst = [$"*{Hybrid}:*{Classic}", $"{Hybrid}:{Classic}"];

    private static readonly Lazy<string?> HybridList = new(static () => Array.Find(HybridFirst, Understood));

    /// <summary>Whether the library knows X25519MLKEM768 (OpenSSL 3.5, or an earlier one with a provider for it).</summary>
    public static bool HasHybrid => HybridList.Value is not null;

    /// <exception cref="OpenSslException">The hybrid group is demanded, but this library does not have it.</exception>
    internal static string For(KeyExchangePolicy policy)
    {
        if (policy == KeyExchangePolicy.Standard) return HybridList.Value ?? Classic;
        if (HasHybrid) return Hybrid;
        throw new OpenSslException($"COMPLIANCE_POLICY=pqc needs {Hybrid}, which {OpenSslLibrary.Version} does not have: OpenSSL 3.5 or later is needed");
    }

    private static bool Understood(string list)
    {
        LibCrypto.ERR_clear_error();
        using SslContextHandle probe = LibSsl.SSL_CTX_new(LibSsl.TLS_method());
        OpenSslErrors.ThrowUnless(!probe.IsInvalid, "a TLS context cannot be made");
        bool understood = TlsContext.SetList(probe, LibSsl.SSL_CTRL_SET_GROUPS_LIST, list);
        LibCrypto.ERR_clear_error();
        return understood;
    }
}
