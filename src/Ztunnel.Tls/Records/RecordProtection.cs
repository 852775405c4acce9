using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Interop;

namespace Ztunnel.Tls.Records;

/// <summary>
/// One direction of a connection: its traffic secret, the key and iv made from it, and the number of the next record; nothing else, and nothing native. The expanded key lives in a
/// <see cref="CipherSlot"/> of the thread and is made again when the slot has gone to somebody else. Records are protected in place (RFC 8446 5.2 and 5.3): nonce = iv xor number,
/// additional data = the five header bytes.
/// </summary>
internal sealed unsafe class RecordProtection : IDisposable
{
    internal const int TagBytes = 16;
    private const int IvBytes = 12;

    private readonly CipherSuite _suite;
    private readonly bool _seals;
    private SecretBytes _secret;
    private KeyBytes _key;
    // The iv as two integers, so that the nonce is one xor and two stores.
    private uint _ivHead;
    private ulong _ivTail;
    private CipherSlot? _slot;
    private bool _disposed;

    internal RecordProtection(CipherSuite suite, ReadOnlySpan<byte> secret, bool seals)
    {
        _suite = suite;
        _seals = seals;
        secret.CopyTo(Secret);
        Derive();
    }

    /// <summary>How many records these keys have protected; the number of the next one.</summary>
    internal ulong Sequence { get; private set; }

    private Span<byte> Secret => ((Span<byte>)_secret)[.._suite.SecretBytes];

    private Span<byte> Key => ((Span<byte>)_key)[.._suite.KeyBytes];

    /// <summary>Goes over to the next generation of keys, as after a KeyUpdate.</summary>
    internal void Update()
    {
        Span<byte> next = stackalloc byte[TrafficSecrets.MaxSecretBytes];
        next = next[.._suite.SecretBytes];
        KeySchedule.NextSecret(_suite, Secret, next);
        next.CopyTo(Secret);
        CryptographicOperations.ZeroMemory(next);
        Derive();
    }

    /// <summary>Encrypts the bytes behind the header in place and puts the tag behind them.</summary>
    internal void Seal(byte* header, int innerBytes)
    {
        Debug.Assert(_seals, "This direction opens");
        byte* inner = header + TlsSession.HeaderBytes;
        CipherSlot slot = Begin(header);
        nint context = slot.Context;
        int written;
        bool sealedWell = LibCrypto.EVP_CipherUpdate(context, inner, &written, inner, innerBytes) == 1
            && LibCrypto.EVP_CipherFinal_ex(context, inner + innerBytes, &written) == 1
            && LibCrypto.EVP_CIPHER_CTX_ctrl(context, LibCrypto.EVP_CTRL_AEAD_GET_TAG, TagBytes, inner + innerBytes) == 1;
        if (!sealedWell) throw new OpenSslException($"a record cannot be sealed: {OpenSslErrors.Take().Text}");

        Sequence++;
        GC.KeepAlive(slot);
    }

    /// <summary>Decrypts the bytes behind the header in place. False: they are not what the peer sent; nothing of them may be used.</summary>
    internal bool TryOpen(byte* header, int innerBytes)
    {
        Debug.Assert(!_seals, "This direction seals");
        byte* inner = header + TlsSession.HeaderBytes;
        CipherSlot slot = Begin(header);
        nint context = slot.Context;
        int written;
        bool authentic = LibCrypto.EVP_CipherUpdate(context, inner, &written, inner, innerBytes) == 1
            && LibCrypto.EVP_CIPHER_CTX_ctrl(context, LibCrypto.EVP_CTRL_AEAD_SET_TAG, TagBytes, inner + innerBytes) == 1
            && LibCrypto.EVP_CipherFinal_ex(context, inner + innerBytes, &written) == 1;
        Sequence++;
        GC.KeepAlive(slot);
        return authentic;
    }

    public void Dispose()
    {
        _disposed = true;
        ForgetSlot();
        CryptographicOperations.ZeroMemory(_secret);
        CryptographicOperations.ZeroMemory(_key);
        _ivHead = 0;
        _ivTail = 0;
    }

    /// <summary>Finds the expanded key, or expands it again, and starts a record with its nonce and additional data.</summary>
    private CipherSlot Begin(byte* header)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        CipherSlots slots = CipherSlots.OfThisThread;
        CipherSlot? slot = _slot;
        if (slot is null || !slots.Holds(slot, this))
        {
            slot = slots.Take(this);
            slot.SetKey(_suite, Key, _seals);
            _slot = slot;
        }

        byte* nonce = stackalloc byte[IvBytes];
        Unsafe.WriteUnaligned(nonce, _ivHead);
        Unsafe.WriteUnaligned(nonce + 4, BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(_ivTail ^ Sequence) : _ivTail ^ Sequence);

        int written;
        bool begun = LibCrypto.EVP_CipherInit_ex2(slot.Context, 0, null, nonce, -1, 0) == 1
            && LibCrypto.EVP_CipherUpdate(slot.Context, null, &written, header, TlsSession.HeaderBytes) == 1;
        if (!begun) throw new OpenSslException($"a record cannot be begun: {OpenSslErrors.Take().Text}");
        return slot;
    }

    private void Derive()
    {
        Span<byte> iv = stackalloc byte[IvBytes];
        KeySchedule.Key(_suite, Secret, Key);
        KeySchedule.Iv(_suite, Secret, iv);
        _ivHead = Unsafe.ReadUnaligned<uint>(ref iv[0]);
        _ivTail = BinaryPrimitives.ReadUInt64BigEndian(iv[4..]);
        Sequence = 0;
        ForgetSlot();
    }

    private void ForgetSlot()
    {
        if (_slot is { } slot) CipherSlots.OfThisThread.Return(slot, this);
        _slot = null;
    }

    /// <summary>Room for the longer of the two secrets, inside the object: no array, and plain data that a later release can hand over.</summary>
    [InlineArray(TrafficSecrets.MaxSecretBytes)]
    private struct SecretBytes
    {
        private byte _first;
    }

    /// <summary>Room for the longer of the two keys.</summary>
    [InlineArray(32)]
    private struct KeyBytes
    {
        private byte _first;
    }
}
