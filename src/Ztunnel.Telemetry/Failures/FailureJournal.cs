namespace Ztunnel.Telemetry.Failures;

/// <summary>The latest failures of the process, for people who ask afterwards. Bounded: an older one gives way to a newer one.</summary>
/// <remarks>Any thread writes and reads, without a lock: a slot is claimed by counting, and what is in it is replaced as a whole.</remarks>
public sealed class FailureJournal
{
    /// <summary>Failures kept.</summary>
    public const int Capacity = 256;

    private readonly ConnectionFailure?[] _slots = new ConnectionFailure?[Capacity];
    private long _written;

    /// <summary>Failures so far, those that are gone included.</summary>
    public long Count => Volatile.Read(ref _written);

    public void Add(ConnectionFailure failure)
    {
        long slot = Interlocked.Increment(ref _written) - 1;
        Volatile.Write(ref _slots[slot % Capacity], failure);
    }

    /// <summary>What is kept, latest first. A failure that is being written may be missing.</summary>
    public IReadOnlyList<ConnectionFailure> Latest()
    {
        var latest = new List<ConnectionFailure>(Capacity);
        long written = Count;
        for (long i = written - 1; i >= 0 && i >= written - Capacity; i--)
        {
            if (Volatile.Read(ref _slots[i % Capacity]) is { } failure)
                latest.Add(failure);
        }

        return latest;
    }
}
