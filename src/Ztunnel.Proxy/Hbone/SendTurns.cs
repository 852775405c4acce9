using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;

namespace Ztunnel.Proxy.Hbone;

/// <summary>
/// Whose turn it is to write into a batch. Streams that say little go first: what they have leaves before bulk that has not even been read. They cannot starve the others:
/// what one turn leaves waits behind the bulk, and after a share of small ones the bulk has its turn too.
/// </summary>
/// <remarks>
/// Nobody declares what it is. A stream counts as bulk when its last turn brought <see cref="BulkBytes"/> or more, and as small again when it brought less; a new one is small.
/// The idea is that of the sparse flows of FQ-CoDel (RFC 8290 4.2).
/// </remarks>
internal struct SendTurns
{
    /// <summary>
    /// Half of what a small stream may write. Not all of it: a turn ends at the end of an open record, and a stream that fills every such rest would never count as bulk.
    /// </summary>
    public const int BulkBytes = SmallQuantumBytes / 2;

    /// <summary>One record: most requests and answers are smaller.</summary>
    public const int SmallQuantumBytes = 16 * 1024;

    /// <summary>Half of a batch: beside any number of small streams, bulk gets the other half.</summary>
    public const int SmallShareBytes = BulkQuantumBytes / 2;

    /// <summary>
    /// A stream that is bulk, or alone, may fill a batch. With 64 KiB, 16 uploads cost a sixth more CPU (seven rounds, in the middle) in four times as many reads, and an echo beside four of them took as long:
    /// what it waits for is the batch before, whoever filled it.
    /// </summary>
    public const int BulkQuantumBytes = 192 * 1024;

    private SendQueue _small;
    private SendQueue _bulk;
    private int _smallBytes;

    public readonly bool IsEmpty => _small.IsEmpty && _bulk.IsEmpty;

    /// <summary>What the stream just taken may write.</summary>
    public readonly int QuantumFor(SendCandidate candidate) => IsEmpty || candidate.IsBulk ? BulkQuantumBytes : SmallQuantumBytes;

    /// <summary>A stream has something to send.</summary>
    public void Add(SendCandidate candidate)
    {
        if (!candidate.IsQueuedForSending)
            QueueOf(candidate).Append(candidate);
    }

    /// <summary>Takes the stream whose turn it is. <see cref="Wrote"/> or <see cref="PutBack"/> follows with what became of it.</summary>
    public SendCandidate Take()
    {
        Debug.Assert(!IsEmpty, "somebody must be waiting");
        if (!_small.IsEmpty && (_smallBytes < SmallShareBytes || _bulk.IsEmpty))
            return _small.Dequeue();

        _smallBytes = 0;
        return _bulk.Dequeue();
    }

    /// <summary>A turn is over.</summary>
    /// <param name="candidate">As taken.</param>
    /// <param name="bytes">What it wrote.</param>
    /// <param name="hasMore">It stays in line, behind the bulk.</param>
    public void Wrote(SendCandidate candidate, int bytes, bool hasMore)
    {
        if (!candidate.IsBulk)
            _smallBytes += bytes;
        candidate.IsBulk = bytes >= BulkBytes;
        if (hasMore && !candidate.IsQueuedForSending)
            _bulk.Append(candidate);
    }

    /// <summary>There was no room for it: it goes first the next time.</summary>
    public void PutBack(SendCandidate candidate)
    {
        if (!candidate.IsQueuedForSending)
            QueueOf(candidate).Prepend(candidate);
    }

    /// <summary>
    /// The bulk that is first finds no window. Small streams with a rest behind it go first after all: what they want may be there, and their rest is not to wait for whoever does not read that bulk.
    /// </summary>
    /// <returns>A small stream waits.</returns>
    public bool LetSmallPass()
    {
        SendQueue waiting = _bulk;
        _bulk = default;
        while (!waiting.IsEmpty)
        {
            SendCandidate candidate = waiting.Dequeue();
            QueueOf(candidate).Append(candidate);
        }

        return !_small.IsEmpty;
    }

    public void Clear() => (_small, _bulk, _smallBytes) = (default, default, 0);

    [UnscopedRef]
    private ref SendQueue QueueOf(SendCandidate candidate)
    {
        if (candidate.IsBulk)
            return ref _bulk;
        return ref _small;
    }
}
