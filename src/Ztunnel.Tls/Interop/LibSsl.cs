using System.Runtime.InteropServices;

namespace Ztunnel.Tls.Interop;

/// <summary>libssl: contexts and handshakes. Macros of ssl.h that expand to SSL_CTX_ctrl are called through it with the numbers below.</summary>
internal static unsafe partial class LibSsl
{
    private const string Library = "libssl.so.3";

    internal const int SSL_ERROR_WANT_READ = 2;

    internal const int SSL_CTRL_MODE = 33;
    internal const int SSL_CTRL_SET_SESS_CACHE_MODE = 44;
    internal const int SSL_CTRL_CHAIN_CERT = 89;
    internal const int SSL_CTRL_SET_GROUPS_LIST = 92;
    internal const int SSL_CTRL_SET_SIGALGS_LIST = 98;
    internal const int SSL_CTRL_SET_MIN_PROTO_VERSION = 123;
    internal const int SSL_CTRL_SET_MAX_PROTO_VERSION = 124;
    internal const int SSL_CTRL_GET_NEGOTIATED_GROUP = 134;

    internal const int TLS1_3_VERSION = 0x0304;
    internal const int SSL_MODE_NO_AUTO_CHAIN = 0x8;
    internal const int SSL_MODE_RELEASE_BUFFERS = 0x10;
    internal const int SSL_SESS_CACHE_OFF = 0;
    internal const ulong SSL_OP_NO_TICKET = 1UL << 14;
    internal const ulong SSL_OP_NO_TX_CERTIFICATE_COMPRESSION = 1UL << 32;
    internal const ulong SSL_OP_NO_RX_CERTIFICATE_COMPRESSION = 1UL << 33;
    internal const int SSL_VERIFY_PEER = 1;
    internal const int SSL_VERIFY_FAIL_IF_NO_PEER_CERT = 2;

    internal const int SSL_TLSEXT_ERR_OK = 0;
    internal const int SSL_TLSEXT_ERR_ALERT_FATAL = 2;

    [LibraryImport(Library)]
    internal static partial nint TLS_method();

    [LibraryImport(Library)]
    internal static partial SslContextHandle SSL_CTX_new(nint method);

    [LibraryImport(Library)]
    internal static partial void SSL_CTX_free(nint context);

    [LibraryImport(Library)]
    internal static partial nint SSL_CTX_ctrl(SslContextHandle context, int command, nint argument, void* pointer);

    [LibraryImport(Library)]
    internal static partial ulong SSL_CTX_set_options(SslContextHandle context, ulong options);

    [LibraryImport(Library)]
    internal static partial int SSL_CTX_set_num_tickets(SslContextHandle context, nuint count);

    [LibraryImport(Library)]
    internal static partial void SSL_CTX_set_security_level(SslContextHandle context, int level);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int SSL_CTX_set_ciphersuites(SslContextHandle context, string suites);

    [LibraryImport(Library)]
    internal static partial int SSL_CTX_use_certificate(SslContextHandle context, X509Handle certificate);

    [LibraryImport(Library)]
    internal static partial int SSL_CTX_use_PrivateKey(SslContextHandle context, EvpPkeyHandle key);

    [LibraryImport(Library)]
    internal static partial int SSL_CTX_check_private_key(SslContextHandle context);

    [LibraryImport(Library)]
    internal static partial nint SSL_CTX_get_cert_store(SslContextHandle context);

    [LibraryImport(Library)]
    internal static partial int SSL_CTX_add_client_CA(SslContextHandle context, X509Handle certificate);

    [LibraryImport(Library)]
    internal static partial void SSL_CTX_set_verify(SslContextHandle context, int mode, nint callback);

    [LibraryImport(Library)]
    internal static partial void SSL_CTX_set_verify_depth(SslContextHandle context, int depth);

    [LibraryImport(Library)]
    internal static partial void SSL_CTX_set_cert_verify_callback(SslContextHandle context, delegate* unmanaged[Cdecl]<nint, nint, int> callback, nint argument);

    [LibraryImport(Library)]
    internal static partial void SSL_CTX_set_keylog_callback(SslContextHandle context, delegate* unmanaged[Cdecl]<nint, byte*, void> callback);

    [LibraryImport(Library)]
    internal static partial void SSL_CTX_set_alpn_select_cb(
        SslContextHandle context, delegate* unmanaged[Cdecl]<nint, byte**, byte*, byte*, uint, nint, int> callback, nint argument);

    /// <summary>Unlike its neighbours it returns 0 for success.</summary>
    [LibraryImport(Library)]
    internal static partial int SSL_CTX_set_alpn_protos(SslContextHandle context, byte* protocols, uint length);

    [LibraryImport(Library)]
    internal static partial SslHandle SSL_new(SslContextHandle context);

    [LibraryImport(Library)]
    internal static partial void SSL_free(nint ssl);

    [LibraryImport(Library)]
    internal static partial void SSL_set_bio(SslHandle ssl, nint read, nint write);

    [LibraryImport(Library)]
    internal static partial void SSL_set_accept_state(SslHandle ssl);

    [LibraryImport(Library)]
    internal static partial void SSL_set_connect_state(SslHandle ssl);

    [LibraryImport(Library)]
    internal static partial int SSL_do_handshake(SslHandle ssl);

    [LibraryImport(Library)]
    internal static partial int SSL_get_error(SslHandle ssl, int result);

    [LibraryImport(Library)]
    internal static partial int SSL_has_pending(SslHandle ssl);

    [LibraryImport(Library)]
    internal static partial nint SSL_ctrl(SslHandle ssl, int command, nint argument, void* pointer);

    [LibraryImport(Library)]
    internal static partial byte* SSL_group_to_name(SslHandle ssl, int group);

    [LibraryImport(Library)]
    internal static partial nint SSL_get_current_cipher(SslHandle ssl);

    [LibraryImport(Library)]
    internal static partial ushort SSL_CIPHER_get_protocol_id(nint cipher);

    [LibraryImport(Library)]
    internal static partial void SSL_get0_alpn_selected(SslHandle ssl, byte** data, uint* length);
}
