using System.Collections.Immutable;
using System.Text;
using Ztunnel.Tls.Interop;

namespace Ztunnel.Tls.Handshake;

/// <summary>
/// One SSL_CTX with everything a handshake of one workload certificate needs: key, chain, roots, and the parameters of control-path 7.7. Built once for each certificate, used by
/// every loop at the same time. It serves both roles, because what differs between them (ALPN selection, the names in the certificate request) lives in separate fields of the SSL_CTX.
/// </summary>
internal sealed unsafe class TlsContext : IDisposable
{
    private const string CipherSuites = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256";

    private const string SignatureAlgorithms =
        "ECDSA+SHA384:ECDSA+SHA256:ECDSA+SHA512:ed25519:RSA-PSS+SHA512:RSA-PSS+SHA384:RSA-PSS+SHA256:RSA+SHA512:RSA+SHA384:RSA+SHA256";

    // 112 bits: RSA keys from 2048 bits, no SHA-1 anywhere in a chain. The distribution's default, stated so that no openssl.cnf weakens it.
    private const int SecurityLevel = 2;

    // Intermediates between leaf and root. Meshes have one or two; every further one is a signature check that a stranger can make us do.
    private const int MaxChainDepth = 8;

    private TlsContext(SslContextHandle handle) => Handle = handle;

    internal SslContextHandle Handle { get; }

    /// <summary>Leaves that verified against these anchors with these parameters.</summary>
    internal VerifiedLeaves Verified { get; } = new();

    /// <exception cref="OpenSslException">The certificate, the key or a root is not usable, or the two do not belong together.</exception>
    internal static TlsContext Create(
        ReadOnlySpan<byte> leaf, ImmutableArray<ReadOnlyMemory<byte>> intermediates, ImmutableArray<ReadOnlyMemory<byte>> roots, ReadOnlySpan<byte> privateKey, TlsSettings settings)
    {
        _ = OpenSslLibrary.Version;
        LibCrypto.ERR_clear_error();

        SslContextHandle handle = LibSsl.SSL_CTX_new(LibSsl.TLS_method());
        OpenSslErrors.ThrowUnless(!handle.IsInvalid, "a TLS context cannot be made");
        try
        {
            SetProtocol(handle, settings);
            SetCredentials(handle, leaf, intermediates, privateKey);
            SetTrust(handle, roots);
            HandshakeCallbacks.Install(handle);
            return new TlsContext(handle);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    public void Dispose() => Handle.Dispose();

    private static void SetProtocol(SslContextHandle handle, TlsSettings settings)
    {
        Check(LibSsl.SSL_CTX_ctrl(handle, LibSsl.SSL_CTRL_SET_MIN_PROTO_VERSION, LibSsl.TLS1_3_VERSION, null) == 1, "TLS 1.3");
        Check(LibSsl.SSL_CTX_ctrl(handle, LibSsl.SSL_CTRL_SET_MAX_PROTO_VERSION, LibSsl.TLS1_3_VERSION, null) == 1, "TLS 1.3");
        Check(LibSsl.SSL_CTX_set_ciphersuites(handle, CipherSuites) == 1, "cipher suites");
        LibSsl.SSL_CTX_set_security_level(handle, SecurityLevel);
        Check(SetList(handle, LibSsl.SSL_CTRL_SET_SIGALGS_LIST, SignatureAlgorithms), "signature algorithms");
        Check(SetList(handle, LibSsl.SSL_CTRL_SET_GROUPS_LIST, KeyExchangeGroups.For(settings.KeyExchange)), "key-exchange groups");

        fixed (byte* offered = "\u0002h2"u8)
        {
            Check(LibSsl.SSL_CTX_set_alpn_protos(handle, offered, 3) == 0, "ALPN");
        }

        // No resumption in either role: a tunnel is opened rarely and each time proves both identities anew.
        Check(LibSsl.SSL_CTX_set_num_tickets(handle, 0) == 1, "no tickets");
        LibSsl.SSL_CTX_ctrl(handle, LibSsl.SSL_CTRL_SET_SESS_CACHE_MODE, LibSsl.SSL_SESS_CACHE_OFF, null);
        LibSsl.SSL_CTX_set_options(handle, LibSsl.SSL_OP_NO_TICKET | LibSsl.SSL_OP_NO_TX_CERTIFICATE_COMPRESSION | LibSsl.SSL_OP_NO_RX_CERTIFICATE_COMPRESSION);

        // Without NO_AUTO_CHAIN the library would complete a chain without intermediates from the trust store and send our root.
        LibSsl.SSL_CTX_ctrl(handle, LibSsl.SSL_CTRL_MODE, LibSsl.SSL_MODE_RELEASE_BUFFERS | LibSsl.SSL_MODE_NO_AUTO_CHAIN, null);
    }

    private static void SetCredentials(SslContextHandle handle, ReadOnlySpan<byte> leaf, ImmutableArray<ReadOnlyMemory<byte>> intermediates, ReadOnlySpan<byte> privateKey)
    {
        using (X509Handle certificate = NativeCertificates.Read(leaf))
        {
            Check(LibSsl.SSL_CTX_use_certificate(handle, certificate) == 1, "leaf certificate");
        }

        foreach (ReadOnlyMemory<byte> der in intermediates)
        {
            using X509Handle certificate = NativeCertificates.Read(der.Span);
            // Argument 1: the context takes a reference of its own.
            Check(LibSsl.SSL_CTX_ctrl(handle, LibSsl.SSL_CTRL_CHAIN_CERT, 1, (void*)certificate.DangerousGetHandle()) == 1, "intermediate certificate");
        }

        using EvpPkeyHandle key = NativeCertificates.ReadPrivateKey(privateKey);
        Check(LibSsl.SSL_CTX_use_PrivateKey(handle, key) == 1, "private key");
        Check(LibSsl.SSL_CTX_check_private_key(handle) == 1, "private key does not belong to the certificate");
    }

    private static void SetTrust(SslContextHandle handle, ImmutableArray<ReadOnlyMemory<byte>> roots)
    {
        // Borrowed from the context, which frees it.
        nint store = LibSsl.SSL_CTX_get_cert_store(handle);
        foreach (ReadOnlyMemory<byte> der in roots)
        {
            using X509Handle root = NativeCertificates.Read(der.Span);
            Check(LibCrypto.X509_STORE_add_cert(store, root) == 1, "root certificate");
            Check(LibSsl.SSL_CTX_add_client_CA(handle, root) == 1, "name of a root certificate");
        }

        // Whatever the bundle holds is an anchor, also a CA that is not self-signed: that is how meshes trust an intermediate only.
        Check(LibCrypto.X509_VERIFY_PARAM_set_flags(LibCrypto.X509_STORE_get0_param(store), LibCrypto.X509_V_FLAG_PARTIAL_CHAIN) == 1, "verification flags");
        LibSsl.SSL_CTX_set_verify(handle, LibSsl.SSL_VERIFY_PEER | LibSsl.SSL_VERIFY_FAIL_IF_NO_PEER_CERT, 0);
        LibSsl.SSL_CTX_set_verify_depth(handle, MaxChainDepth);
    }

    internal static bool SetList(SslContextHandle handle, int command, string list)
    {
        fixed (byte* text = Encoding.ASCII.GetBytes(list + '\0'))
        {
            return LibSsl.SSL_CTX_ctrl(handle, command, 0, text) == 1;
        }
    }

    private static void Check(bool succeeded, string what) => OpenSslErrors.ThrowUnless(succeeded, $"TLS context refused ({what})");
}
