using Ztunnel.Tls.Interop;

namespace Ztunnel.Tls.Records;

/// <summary>
/// The expanded keys of one thread: 1.2 KiB of native memory each, while a tunnel is mostly idle. Expanding a key again costs 0.1 to 0.2 µs, less than a record, so a thread keeps a
/// bounded number of them and gives the oldest to whoever comes next. At rest they are given back; a hundred thousand idle tunnels hold none.
/// </summary>
internal sealed class CipherSlots
{
    // 256 tunnels sending and receiving at the same time keep their keys expanded: 600 KiB a thread at most.
    internal const int MaxSlots = 512;

    [ThreadStatic]
    private static CipherSlots? OfThread;

    private readonly List<CipherSlot> _slots = [];
    private readonly Stack<CipherSlot> _free = [];
    private int _nextVictim;

    internal static CipherSlots OfThisThread => OfThread ??= new CipherSlots();

    /// <summary>How many are made so far.</summary>
    internal int Count => _slots.Count;

    /// <summary>Whether the slot is of this thread and still has this owner's key.</summary>
    internal bool Holds(CipherSlot slot, RecordProtection owner) => slot.Owner == owner && slot.Home == this;

    /// <summary>A slot for the owner to put its key into.</summary>
    internal CipherSlot Take(RecordProtection owner)
    {
        if (!_free.TryPop(out CipherSlot? slot))
        {
            if (_slots.Count < MaxSlots)
            {
                slot = new CipherSlot(this);
                _slots.Add(slot);
            }
            else
            {
                // First in, first out: whoever lost its slot and is busy takes the next, and no order needs to be kept for each record.
                slot = _slots[_nextVictim];
                _nextVictim = (_nextVictim + 1) % MaxSlots;
            }
        }

        slot.Owner = owner;
        return slot;
    }

    /// <summary>Wipes the key of an owner that is done with it. A slot of another thread is left to that thread: its owner is gone, so it will be taken again.</summary>
    internal void Return(CipherSlot slot, RecordProtection owner)
    {
        if (!Holds(slot, owner)) return;
        slot.Clear();
        _free.Push(slot);
    }

    /// <summary>Frees them all: who has one expands its key again for its next record.</summary>
    internal void Release()
    {
        foreach (CipherSlot slot in _slots) slot.Free();
        _slots.Clear();
        _slots.TrimExcess();
        _free.Clear();
        _free.TrimExcess();
        _nextVictim = 0;
    }
}

/// <summary>One cipher context of the library and whose key is in it.</summary>
internal sealed unsafe class CipherSlot
{
    private readonly CipherContextHandle _context;
    private CipherSuite? _suite;

    internal CipherSlot(CipherSlots home)
    {
        Home = home;
        _context = LibCrypto.EVP_CIPHER_CTX_new();
        OpenSslErrors.ThrowUnless(!_context.IsInvalid, "a cipher context cannot be made");
    }

    internal CipherSlots Home { get; }

    internal RecordProtection? Owner { get; set; }

    /// <summary>Valid while the slot is reachable: keep it alive beyond the last call.</summary>
    internal nint Context => _context.DangerousGetHandle();

    internal void SetKey(CipherSuite suite, ReadOnlySpan<byte> key, bool seals)
    {
        fixed (byte* bytes = key)
        {
            // The cipher is named only when it changes: that halves the cost.
            nint cipher = suite == _suite ? 0 : suite.Cipher;
            bool keyed = LibCrypto.EVP_CipherInit_ex2(Context, cipher, bytes, null, seals ? 1 : 0, 0) == 1;
            if (!keyed) throw new OpenSslException($"{suite.Name} cannot be keyed: {OpenSslErrors.Take().Text}");
        }

        _suite = suite;
        GC.KeepAlive(this);
    }

    /// <summary>Wipes the expanded key and gives most of the memory back.</summary>
    internal void Clear()
    {
        Owner = null;
        _suite = null;
        LibCrypto.EVP_CIPHER_CTX_reset(Context);
        GC.KeepAlive(this);
    }

    /// <summary>Leaves its owner without a key.</summary>
    internal void Free()
    {
        Owner = null;
        _context.Dispose();
    }
}
