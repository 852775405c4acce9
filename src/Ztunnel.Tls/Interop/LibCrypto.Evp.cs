using System.Runtime.InteropServices;

namespace Ztunnel.Tls.Interop;

/// <summary>libcrypto: the AEAD ciphers of the record layer. Called several times for each record, hence raw pointers; <see cref="CipherContextHandle"/> owns them.</summary>
internal static unsafe partial class LibCrypto
{
    internal const int EVP_CTRL_AEAD_GET_TAG = 0x10;
    internal const int EVP_CTRL_AEAD_SET_TAG = 0x11;

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint EVP_CIPHER_fetch(nint libraryContext, string algorithm, nint properties);

    [LibraryImport(Library)]
    internal static partial CipherContextHandle EVP_CIPHER_CTX_new();

    [LibraryImport(Library)]
    internal static partial void EVP_CIPHER_CTX_free(nint context);

    [LibraryImport(Library)]
    internal static partial int EVP_CIPHER_CTX_reset(nint context);

    [LibraryImport(Library)]
    internal static partial int EVP_CipherInit_ex2(nint context, nint cipher, byte* key, byte* iv, int encrypt, nint parameters);

    [LibraryImport(Library)]
    internal static partial int EVP_CipherUpdate(nint context, byte* output, int* outputBytes, byte* input, int inputBytes);

    [LibraryImport(Library)]
    internal static partial int EVP_CipherFinal_ex(nint context, byte* output, int* outputBytes);

    [LibraryImport(Library)]
    internal static partial int EVP_CIPHER_CTX_ctrl(nint context, int command, int argument, void* pointer);
}
