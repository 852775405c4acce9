namespace Ztunnel.Tls.Interop;

/// <summary>Certificates, keys and revocation lists between their encodings and the library's objects.</summary>
internal static unsafe class NativeCertificates
{
    private const uint KeyUsageCrlSign = 0x0002;

    /// <exception cref="OpenSslException">It is none.</exception>
    internal static X509Handle Read(ReadOnlySpan<byte> der)
    {
        fixed (byte* data = der)
        {
            byte* cursor = data;
            X509Handle certificate = LibCrypto.d2i_X509(0, &cursor, der.Length);
            OpenSslErrors.ThrowUnless(!certificate.IsInvalid, "not a certificate");
            return certificate;
        }
    }

    /// <exception cref="OpenSslException">It is none.</exception>
    internal static EvpPkeyHandle ReadPrivateKey(ReadOnlySpan<byte> der)
    {
        fixed (byte* data = der)
        {
            byte* cursor = data;
            EvpPkeyHandle key = LibCrypto.d2i_AutoPrivateKey(0, &cursor, der.Length);
            OpenSslErrors.ThrowUnless(!key.IsInvalid, "not a private key");
            return key;
        }
    }

    /// <summary>Invalid when it is none.</summary>
    internal static CrlHandle ReadRevocationList(ReadOnlySpan<byte> der)
    {
        fixed (byte* data = der)
        {
            byte* cursor = data;
            CrlHandle list = LibCrypto.d2i_X509_CRL(0, &cursor, der.Length);
            LibCrypto.ERR_clear_error();
            return list;
        }
    }

    /// <param name="certificate">An X509 that somebody else owns.</param>
    internal static byte[] Encode(nint certificate)
    {
        int length = LibCrypto.i2d_X509(certificate, null);
        if (length <= 0) throw new OpenSslException("a verified certificate cannot be encoded");

        byte[] der = new byte[length];
        fixed (byte* data = der)
        {
            byte* cursor = data;
            LibCrypto.i2d_X509(certificate, &cursor);
        }

        return der;
    }

    /// <summary>Whether the certificate's key has signed the list, and the certificate allows that. One without key usages allows everything.</summary>
    internal static bool HasSignedRevocationList(ReadOnlySpan<byte> certificate, ReadOnlySpan<byte> list)
    {
        using X509Handle issuer = Read(certificate);
        using CrlHandle crl = ReadRevocationList(list);
        if (crl.IsInvalid || (LibCrypto.X509_get_key_usage(issuer) & KeyUsageCrlSign) == 0) return false;

        bool signed = LibCrypto.X509_CRL_verify(crl, LibCrypto.X509_get0_pubkey(issuer)) == 1;
        LibCrypto.ERR_clear_error();
        return signed;
    }
}
