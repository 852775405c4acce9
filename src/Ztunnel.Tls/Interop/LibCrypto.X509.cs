using System.Runtime.InteropServices;

namespace Ztunnel.Tls.Interop;

/// <summary>libcrypto: keys, certificates, the verification of a chain.</summary>
internal static unsafe partial class LibCrypto
{
    internal const int NID_subject_alt_name = 85;

    internal const int X509_V_OK = 0;
    internal const int X509_V_ERR_UNSPECIFIED = 1;
    internal const int X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT = 2;
    internal const int X509_V_ERR_CERT_SIGNATURE_FAILURE = 7;
    internal const int X509_V_ERR_CERT_NOT_YET_VALID = 9;
    internal const int X509_V_ERR_CERT_HAS_EXPIRED = 10;
    internal const int X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT = 18;
    internal const int X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN = 19;
    internal const int X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY = 20;
    internal const int X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE = 21;
    internal const int X509_V_ERR_CERT_CHAIN_TOO_LONG = 22;
    internal const int X509_V_ERR_CERT_REVOKED = 23;
    internal const int X509_V_ERR_INVALID_PURPOSE = 26;

    internal const nuint X509_V_FLAG_PARTIAL_CHAIN = 0x80000;

    [LibraryImport(Library)]
    internal static partial EvpPkeyHandle d2i_AutoPrivateKey(nint reuse, byte** der, nint length);

    [LibraryImport(Library)]
    internal static partial void EVP_PKEY_free(nint key);

    [LibraryImport(Library)]
    internal static partial X509Handle d2i_X509(nint reuse, byte** der, nint length);

    [LibraryImport(Library)]
    internal static partial int i2d_X509(nint certificate, byte** der);

    [LibraryImport(Library)]
    internal static partial void X509_free(nint certificate);

    /// <summary>Borrowed from the certificate.</summary>
    [LibraryImport(Library)]
    internal static partial nint X509_get0_pubkey(X509Handle certificate);

    /// <summary>All bits when the certificate does not restrict its use.</summary>
    [LibraryImport(Library)]
    internal static partial uint X509_get_key_usage(X509Handle certificate);

    /// <summary>Borrowed from the certificate.</summary>
    [LibraryImport(Library)]
    internal static partial nint X509_get0_notBefore(nint certificate);

    /// <summary>Negative when the first is not later than the second, 0 when it cannot be read.</summary>
    [LibraryImport(Library)]
    internal static partial int X509_cmp_time(nint asn1Time, nint* unixSeconds);

    [LibraryImport(Library)]
    internal static partial CrlHandle d2i_X509_CRL(nint reuse, byte** der, nint length);

    [LibraryImport(Library)]
    internal static partial void X509_CRL_free(nint list);

    [LibraryImport(Library)]
    internal static partial int X509_CRL_verify(CrlHandle list, nint key);

    [LibraryImport(Library)]
    internal static partial int X509_get_ext_by_NID(nint certificate, int nid, int after);

    [LibraryImport(Library)]
    internal static partial nint X509_get_ext(nint certificate, int index);

    [LibraryImport(Library)]
    internal static partial nint X509_EXTENSION_get_data(nint extension);

    [LibraryImport(Library)]
    internal static partial byte* ASN1_STRING_get0_data(nint text);

    [LibraryImport(Library)]
    internal static partial int ASN1_STRING_length(nint text);

    [LibraryImport(Library)]
    internal static partial int X509_STORE_add_cert(nint store, X509Handle certificate);

    [LibraryImport(Library)]
    internal static partial nint X509_STORE_get0_param(nint store);

    [LibraryImport(Library)]
    internal static partial int X509_VERIFY_PARAM_set_flags(nint parameters, nuint flags);

    [LibraryImport(Library)]
    internal static partial void X509_VERIFY_PARAM_set_time(nint parameters, nint unixSeconds);

    [LibraryImport(Library)]
    internal static partial int X509_verify_cert(nint storeContext);

    [LibraryImport(Library)]
    internal static partial void X509_STORE_CTX_set_verify_cb(nint storeContext, delegate* unmanaged[Cdecl]<int, nint, int> callback);

    [LibraryImport(Library)]
    internal static partial nint X509_STORE_CTX_get0_param(nint storeContext);

    [LibraryImport(Library)]
    internal static partial nint X509_STORE_CTX_get0_cert(nint storeContext);

    [LibraryImport(Library)]
    internal static partial nint X509_STORE_CTX_get0_chain(nint storeContext);

    [LibraryImport(Library)]
    internal static partial nint X509_STORE_CTX_get_current_cert(nint storeContext);

    [LibraryImport(Library)]
    internal static partial int X509_STORE_CTX_get_error(nint storeContext);

    [LibraryImport(Library)]
    internal static partial void X509_STORE_CTX_set_error(nint storeContext, int error);

    [LibraryImport(Library)]
    internal static partial byte* X509_verify_cert_error_string(nint error);
}
