namespace Ztunnel.Tls.Certificates;

/// <summary>
/// What the store does next: requests, the most urgent first and then by time, and entries to drop, by time. Only Background requests lie in the future, so that the head of the queue
/// is always the one to look at. Guarded by the store's lock.
/// </summary>
internal sealed class CertificateQueue
{
    private readonly SortedSet<CertificateEntry> _requests = new(Order.Instance);
    // All wait equally long, so first in, first out is by time.
    private readonly Queue<(CertificateEntry Entry, DateTimeOffset At)> _drops = new();
    private long _tickets;

    /// <summary>When the next drop is due, null when there is none.</summary>
    internal DateTimeOffset? NextDrop => _drops.TryPeek(out (CertificateEntry, DateTimeOffset At) next) ? next.At : null;

    /// <summary>When the next request is due, null when there is none.</summary>
    internal DateTimeOffset? NextRequest => _requests.Min?.Due;

    internal void Add(CertificateEntry entry, CertificatePriority priority, DateTimeOffset due)
    {
        Remove(entry);
        entry.Priority = priority;
        entry.Due = due;
        entry.Ticket = _tickets++;
        entry.IsQueued = true;
        _requests.Add(entry);
    }

    /// <summary>Moves a queued request forward if it stands behind what is now asked.</summary>
    internal void Raise(CertificateEntry entry, CertificatePriority priority, DateTimeOffset now)
    {
        if (entry.IsQueued && (entry.Priority < priority || entry.Due > now)) Add(entry, priority, now);
    }

    internal void Remove(CertificateEntry entry)
    {
        // The order of the set is that of the entry's fields: out first, then change them.
        if (entry.IsQueued) _requests.Remove(entry);
        entry.IsQueued = false;
    }

    /// <summary>Takes the next request that is due.</summary>
    internal CertificateEntry? TakeDue(DateTimeOffset now)
    {
        if (_requests.Min is not { } next || next.Due > now) return null;
        Remove(next);
        return next;
    }

    internal void AddDrop(CertificateEntry entry, DateTimeOffset at)
    {
        entry.DropAt = at;
        _drops.Enqueue((entry, at));
    }

    /// <summary>Takes the next entry whose time has come and that nobody has wanted again meanwhile.</summary>
    internal CertificateEntry? TakeDrop(DateTimeOffset now)
    {
        while (_drops.TryPeek(out (CertificateEntry Entry, DateTimeOffset At) next) && next.At <= now)
        {
            _drops.Dequeue();
            if (next.Entry.DropAt == next.At) return next.Entry;
        }

        return null;
    }

    internal void Clear() => _requests.Clear();

    private sealed class Order : IComparer<CertificateEntry>
    {
        internal static readonly Order Instance = new();

        public int Compare(CertificateEntry? x, CertificateEntry? y)
        {
            int byPriority = y!.Priority.CompareTo(x!.Priority);
            if (byPriority != 0) return byPriority;
            int byTime = x.Due.CompareTo(y.Due);
            return byTime != 0 ? byTime : x.Ticket.CompareTo(y.Ticket);
        }
    }
}
