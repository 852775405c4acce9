using System.Runtime.InteropServices;

namespace Ztunnel.Tls.Interop;

/// <summary>libcrypto: version, error queue, memory BIOs. Names and types are those of the OpenSSL 3.0 headers, whose ABI all of 3.x keeps.</summary>
internal static unsafe partial class LibCrypto
{
    private const string Library = "libcrypto.so.3";

    internal const int ERR_LIB_SSL = 20;

    [LibraryImport(Library)]
    internal static partial nuint OpenSSL_version_num();

    [LibraryImport(Library)]
    internal static partial byte* OpenSSL_version(int type);

    [LibraryImport(Library)]
    internal static partial void ERR_clear_error();

    /// <summary>Takes the oldest entry off this thread's queue; 0 when it is empty.</summary>
    [LibraryImport(Library)]
    internal static partial nuint ERR_get_error();

    [LibraryImport(Library)]
    internal static partial byte* ERR_reason_error_string(nuint error);

    [LibraryImport(Library)]
    internal static partial nint BIO_s_mem();

    [LibraryImport(Library)]
    internal static partial nint BIO_new(nint method);

    [LibraryImport(Library)]
    internal static partial int BIO_free(nint bio);

    [LibraryImport(Library)]
    internal static partial int BIO_read(nint bio, byte* data, int length);

    [LibraryImport(Library)]
    internal static partial int BIO_write(nint bio, byte* data, int length);

    [LibraryImport(Library)]
    internal static partial nuint BIO_ctrl_pending(nint bio);

    [LibraryImport(Library)]
    internal static partial int OPENSSL_sk_num(nint stack);

    [LibraryImport(Library)]
    internal static partial nint OPENSSL_sk_value(nint stack, int index);
}
