using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Ztunnel.Tls.Interop;

namespace Ztunnel.Tls.Handshake;

/// <summary>
/// Where the library calls back during SSL_do_handshake: the peer's chain, the ALPN list of a client, and the secrets. All of it happens inside that call and on its thread, so the
/// handshake is found in a thread-static and nothing managed is ever stored in native memory. No exception may cross back: each callback turns one into a failed handshake.
/// </summary>
internal static unsafe class HandshakeCallbacks
{
    [ThreadStatic]
    private static TlsHandshake? Current;

    internal static void Install(SslContextHandle context)
    {
        LibSsl.SSL_CTX_set_cert_verify_callback(context, &VerifyChain, 0);
        LibSsl.SSL_CTX_set_alpn_select_cb(context, &SelectProtocol, 0);
        LibSsl.SSL_CTX_set_keylog_callback(context, &LogKey);
    }

    /// <summary>Runs the handshake as far as its input goes.</summary>
    internal static int Run(TlsHandshake handshake, SslHandle ssl)
    {
        TlsHandshake? outer = Current;
        Current = handshake;
        try
        {
            return LibSsl.SSL_do_handshake(ssl);
        }
        finally
        {
            Current = outer;
        }
    }

    /// <summary>Has this verification ask about each mistake that it finds.</summary>
    internal static void JudgeErrors(nint storeContext) => LibCrypto.X509_STORE_CTX_set_verify_cb(storeContext, &JudgeError);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int JudgeError(int good, nint storeContext)
    {
        try
        {
            if (good != 0 || !Current!.Tolerates(storeContext)) return good;
            LibCrypto.X509_STORE_CTX_set_error(storeContext, LibCrypto.X509_V_OK);
            return 1;
        }
        catch (Exception unexpected)
        {
            Current?.NoteFailure(new TlsFailure(TlsFailureReason.Internal, $"certificate verification: {unexpected.Message}"));
            return 0;
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int VerifyChain(nint storeContext, nint argument)
    {
        try
        {
            return Current!.VerifyChain(storeContext) ? 1 : 0;
        }
        catch (Exception unexpected)
        {
            Current?.NoteFailure(new TlsFailure(TlsFailureReason.Internal, $"certificate verification: {unexpected.Message}"));
            LibCrypto.X509_STORE_CTX_set_error(storeContext, LibCrypto.X509_V_ERR_UNSPECIFIED);
            return 0;
        }
    }

    /// <summary>Called only when the client offers protocols. The choice points into its list, which outlives the call.</summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int SelectProtocol(nint ssl, byte** chosen, byte* chosenLength, byte* offered, uint offeredLength, nint argument)
    {
        var list = new ReadOnlySpan<byte>(offered, (int)offeredLength);
        for (int at = 0; at < list.Length; at += 1 + list[at])
        {
            int length = Math.Min(list[at], list.Length - at - 1);
            if (!list.Slice(at + 1, length).SequenceEqual("h2"u8)) continue;

            *chosen = offered + at + 1;
            *chosenLength = (byte)length;
            return LibSsl.SSL_TLSEXT_ERR_OK;
        }

        return LibSsl.SSL_TLSEXT_ERR_ALERT_FATAL;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void LogKey(nint ssl, byte* line)
    {
        try
        {
            Current!.TakeSecret(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(line));
        }
        catch (Exception unexpected)
        {
            Current?.NoteFailure(new TlsFailure(TlsFailureReason.Internal, $"traffic secrets: {unexpected.Message}"));
        }
    }
}
