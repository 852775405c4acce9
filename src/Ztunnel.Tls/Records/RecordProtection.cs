using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Interop;

namespace Ztunnel.Tls.Records;

/// <summary>
/// One direction of a connection: its traffic secret, the keys made from it, the number of the next record, and the library's cipher context, which is nothing but the expanded key.
/// Records are protected in place (RFC 8446 5.2 and 5.3): nonce = iv xor number, additional data = the five header bytes.
/// </summary>
internal sealed unsafe class RecordProtection : IDisposable
{
    internal const int TagBytes = 16;
    private const int IvBytes = 12;

    private readonly CipherSuite _suite;
    private readonly CipherContextHandle _context;
    private readonly bool _seals;
    private SecretBytes _secret;
    // The iv as two integers, so that the nonce is one xor and two stores.
    private uint _ivHead;
    private ulong _ivTail;

    internal RecordProtection(CipherSuite suite, ReadOnlySpan<byte> secret, bool seals)
    {
        _suite = suite;
        _seals = seals;
        _context = LibCrypto.EVP_CIPHER_CTX_new();
        OpenSslErrors.ThrowUnless(!_context.IsInvalid, "a cipher context cannot be made");

        secret.CopyTo(Secret);
        Derive(_suite.Cipher);
    }

    /// <summary>How many records these keys have protected; the number of the next one.</summary>
    internal ulong Sequence { get; private set; }

    private Span<byte> Secret => ((Span<byte>)_secret)[.._suite.SecretBytes];

    /// <summary>Goes over to the next generation of keys, as after a KeyUpdate.</summary>
    internal void Update()
    {
        Span<byte> next = stackalloc byte[TrafficSecrets.MaxSecretBytes];
        next = next[.._suite.SecretBytes];
        KeySchedule.NextSecret(_suite, Secret, next);
        next.CopyTo(Secret);
        CryptographicOperations.ZeroMemory(next);
        Derive(cipher: 0);
    }

    /// <summary>Encrypts the bytes behind the header in place and puts the tag behind them.</summary>
    internal void Seal(byte* header, int innerBytes)
    {
        Debug.Assert(_seals, "This direction opens");
        byte* inner = header + TlsSession.HeaderBytes;
        nint context = Begin(header);
        int written;
        bool sealedWell = LibCrypto.EVP_CipherUpdate(context, inner, &written, inner, innerBytes) == 1
            && LibCrypto.EVP_CipherFinal_ex(context, inner + innerBytes, &written) == 1
            && LibCrypto.EVP_CIPHER_CTX_ctrl(context, LibCrypto.EVP_CTRL_AEAD_GET_TAG, TagBytes, inner + innerBytes) == 1;
        if (!sealedWell) throw new OpenSslException($"a record cannot be sealed: {OpenSslErrors.Take().Text}");

        Sequence++;
        GC.KeepAlive(this);
    }

    /// <summary>Decrypts the bytes behind the header in place. False: they are not what the peer sent; nothing of them may be used.</summary>
    internal bool TryOpen(byte* header, int innerBytes)
    {
        Debug.Assert(!_seals, "This direction seals");
        byte* inner = header + TlsSession.HeaderBytes;
        nint context = Begin(header);
        int written;
        bool authentic = LibCrypto.EVP_CipherUpdate(context, inner, &written, inner, innerBytes) == 1
            && LibCrypto.EVP_CIPHER_CTX_ctrl(context, LibCrypto.EVP_CTRL_AEAD_SET_TAG, TagBytes, inner + innerBytes) == 1
            && LibCrypto.EVP_CipherFinal_ex(context, inner + innerBytes, &written) == 1;
        Sequence++;
        GC.KeepAlive(this);
        return authentic;
    }

    public void Dispose()
    {
        _context.Dispose();
        CryptographicOperations.ZeroMemory(_secret);
        _ivHead = 0;
        _ivTail = 0;
    }

    private nint Begin(byte* header)
    {
        ObjectDisposedException.ThrowIf(_context.IsClosed, this);
        byte* nonce = stackalloc byte[IvBytes];
        Unsafe.WriteUnaligned(nonce, _ivHead);
        Unsafe.WriteUnaligned(nonce + 4, BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(_ivTail ^ Sequence) : _ivTail ^ Sequence);

        nint context = _context.DangerousGetHandle();
        int written;
        bool begun = LibCrypto.EVP_CipherInit_ex2(context, 0, null, nonce, -1, 0) == 1 && LibCrypto.EVP_CipherUpdate(context, null, &written, header, TlsSession.HeaderBytes) == 1;
        if (!begun) throw new OpenSslException($"a record cannot be begun: {OpenSslErrors.Take().Text}");
        return context;
    }

    /// <param name="cipher">The library's cipher the first time, 0 to keep the one in the context.</param>
    private void Derive(nint cipher)
    {
        Span<byte> key = stackalloc byte[32];
        key = key[.._suite.KeyBytes];
        Span<byte> iv = stackalloc byte[IvBytes];
        KeySchedule.Key(_suite, Secret, key);
        KeySchedule.Iv(_suite, Secret, iv);
        _ivHead = Unsafe.ReadUnaligned<uint>(ref iv[0]);
        _ivTail = BinaryPrimitives.ReadUInt64BigEndian(iv[4..]);

        fixed (byte* keyBytes = key)
        {
            bool keyed = LibCrypto.EVP_CipherInit_ex2(_context.DangerousGetHandle(), cipher, keyBytes, null, _seals ? 1 : 0, 0) == 1;
            if (!keyed) throw new OpenSslException($"{_suite.Name} cannot be keyed: {OpenSslErrors.Take().Text}");
        }

        CryptographicOperations.ZeroMemory(key);
        Sequence = 0;
        GC.KeepAlive(this);
    }

    /// <summary>Room for the longer of the two secrets, inside the object: no array, and plain data that a later release can hand over.</summary>
    [InlineArray(TrafficSecrets.MaxSecretBytes)]
    private struct SecretBytes
    {
        private byte _first;
    }
}
