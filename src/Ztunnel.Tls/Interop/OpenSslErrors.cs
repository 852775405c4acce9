using System.Runtime.InteropServices;

namespace Ztunnel.Tls.Interop;

/// <summary>
/// The error queue of this thread. Whoever judges the result of a call clears the queue before the call: .NET's own cryptography and earlier handshakes on the same thread
/// leave entries behind, and SSL_get_error looks at them.
/// </summary>
internal static unsafe class OpenSslErrors
{
    /// <summary>Empties the queue and returns the entry that tells most: the first of libssl, else the first of any.</summary>
    internal static OpenSslError Take()
    {
        nuint chosen = 0;
        for (nuint error = LibCrypto.ERR_get_error(); error != 0; error = LibCrypto.ERR_get_error())
        {
            if (chosen == 0 || (!IsSsl(chosen) && IsSsl(error))) chosen = error;
        }

        if (chosen == 0) return new OpenSslError(0, IsSsl: false, "no error given by OpenSSL");

        string text = Marshal.PtrToStringUTF8((nint)LibCrypto.ERR_reason_error_string(chosen)) ?? $"OpenSSL error {chosen:x}";
        return new OpenSslError((int)(chosen & 0x7FFFFF), IsSsl(chosen), text);
    }

    /// <summary>For calls that only fail when memory is short or an argument is ours and wrong.</summary>
    internal static void ThrowUnless(bool succeeded, string what)
    {
        if (!succeeded) throw new OpenSslException($"{what}: {Take().Text}");
    }

    private static bool IsSsl(nuint error) => ((error >> 23) & 0xFF) == LibCrypto.ERR_LIB_SSL;
}

/// <summary>One entry of the queue: the reason number (of libssl when <paramref name="IsSsl"/>) and its text.</summary>
internal readonly record struct OpenSslError(int Reason, bool IsSsl, string Text);
