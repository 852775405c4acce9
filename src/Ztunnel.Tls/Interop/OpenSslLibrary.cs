using System.Runtime.InteropServices;

namespace Ztunnel.Tls.Interop;

/// <summary>The library we run on: present, new enough, and what it can do. Looked at once.</summary>
public static unsafe class OpenSslLibrary
{
    private const uint OldestSupported = 0x3000_0000;

    private static readonly Lazy<string> Loaded = new(Load);

    /// <summary>The version text of the library, for the log and the dump.</summary>
    /// <exception cref="OpenSslException">There is no OpenSSL 3 on this machine; the message says what to install.</exception>
    public static string Version => Loaded.Value;

    private static string Load()
    {
        try
        {
            string version = Marshal.PtrToStringUTF8((nint)LibCrypto.OpenSSL_version(0)) ?? "unknown version";
            nuint number = LibCrypto.OpenSSL_version_num();
            if (number < OldestSupported) throw new OpenSslException($"{version} is too old: OpenSSL 3.0 or later is needed");

            // Resolves libssl too, so that a machine with only half of OpenSSL says so here and not at the first connection.
            _ = LibSsl.TLS_method();
            return version;
        }
        catch (DllNotFoundException missing)
        {
            throw new OpenSslException($"OpenSSL 3.0 or later is needed, install libssl3 (libssl.so.3, libcrypto.so.3): {missing.Message}", missing);
        }
    }
}

/// <summary>OpenSSL is missing, too old, or refused what it was told to set up.</summary>
public sealed class OpenSslException : Exception
{
    public OpenSslException(string message)
        : base(message)
    {
    }

    public OpenSslException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
