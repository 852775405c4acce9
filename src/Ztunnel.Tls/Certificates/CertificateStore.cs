using System.Collections.Immutable;
using Ztunnel.Mesh.Identity;

namespace Ztunnel.Tls.Certificates;

/// <summary>
/// The certificates of this node's workloads: fetched when first needed, renewed in time, retried when the authority fails (control-path 7.5). One entry for each identity, one queue
/// ordered by urgency and then by time, a bounded number of requests in flight. Nobody is ever given an expired certificate.
/// </summary>
/// <remarks>All state is under one lock, held for table work only. The authority is called, and waiters resume, on the pool.</remarks>
public sealed class CertificateStore : IAsyncDisposable
{
    // Wall clocks are stepped, and timers do not notice: the queue is looked at again at least this often.
    private static readonly TimeSpan LongestSleep = TimeSpan.FromMinutes(1);

    private readonly ICertificateAuthority _authority;
    private readonly CertificateStoreSettings _settings;
    private readonly TimeProvider _time;
    private readonly ICertificateEvents? _events;
    private readonly ITimer _timer;

    private readonly Lock _lock = new();
    private readonly Dictionary<SpiffeId, CertificateEntry> _entries = [];
    private readonly CertificateQueue _queue = new();
    private readonly Dictionary<CertificateEntry, Task> _inFlight = [];
    private bool _stopped;

    public CertificateStore(ICertificateAuthority authority, CertificateStoreSettings settings, TimeProvider time, ICertificateEvents? events = null)
    {
        _authority = authority;
        _settings = settings;
        _time = time;
        _events = events;
        _timer = time.CreateTimer(static state => ((CertificateStore)state!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The certificate if it is there and valid: the common case, without waiting.</summary>
    public WorkloadCertificate? TryGet(SpiffeId identity)
    {
        lock (_lock)
        {
            return _entries.TryGetValue(identity, out CertificateEntry? entry) && entry.DropAt is null ? entry.Usable(_time.GetUtcNow()) : null;
        }
    }

    /// <summary>The certificate, waiting for the authority when there is none yet. When the last request failed it fails at once: the next one is already scheduled.</summary>
    /// <exception cref="CertificateUnavailableException">There is none; the message is the authority's, or says that nobody needs the identity any more.</exception>
    public ValueTask<WorkloadCertificate> GetAsync(SpiffeId identity, CertificatePriority priority, CancellationToken cancellation)
    {
        lock (_lock)
        {
            if (_stopped) return Unavailable("the certificate store is stopping");
            if (!TryWant(identity, priority, out CertificateEntry entry)) return Unavailable($"more than {_settings.MaxIdentities} identities are in use");
            if (entry.Usable(_time.GetUtcNow()) is { } usable) return ValueTask.FromResult(usable);
            // Expired, while its renewal hangs or the clock was stepped, is no failure of the authority: that is waited for.
            if (entry is { Error: not null, Certificate: null }) return Unavailable(entry.Error);

            _queue.Raise(entry, priority, _time.GetUtcNow());
            Task<WorkloadCertificate> waiting = entry.Wait();
            StartDue();
            return new ValueTask<WorkloadCertificate>(waiting.WaitAsync(cancellation));
        }
    }

    /// <summary>Identities that were to be fetched in advance and were not, because too many are in use.</summary>
    public long PrefetchDrops { get; private set; }   // under _lock; a scrape reads one word

    /// <summary>Has the certificate fetched before anybody needs it. Nothing waits: the queue holds each identity once, and only more identities than the store keeps are dropped.</summary>
    public void Prefetch(SpiffeId identity)
    {
        lock (_lock)
        {
            if (_stopped) return;
            if (TryWant(identity, CertificatePriority.Warmup, out _)) StartDue();
            else PrefetchDrops++;
        }
    }

    /// <summary>Nobody needs the identity any more. Who waits is told so; what is in flight is discarded when it comes, unless it is wanted again by then.</summary>
    public void Forget(SpiffeId identity)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(identity, out CertificateEntry? entry) || entry.DropAt is not null) return;
            Settle(entry, "the identity is no longer needed");
            _queue.Remove(entry);
            if (entry.Certificate is null && !entry.IsInFlight)
            {
                _entries.Remove(identity);
                return;
            }

            _queue.AddDrop(entry, _time.GetUtcNow() + _settings.KeepForgotten);
            Sleep();
        }
    }

    /// <summary>What is held, ordered by identity.</summary>
    public ImmutableArray<CertificateStatus> Snapshot()
    {
        lock (_lock)
        {
            DateTimeOffset now = _time.GetUtcNow();
            return [.. _entries.Values.Where(entry => entry.DropAt is null || entry.Certificate is not null).Select(entry => Describe(entry, now)).OrderBy(status => status.Identity.ToString(), StringComparer.Ordinal)];
        }
    }

    /// <summary>Schedules nothing more, and lets what is in flight come to its end, which its time limit bounds.</summary>
    public async ValueTask DisposeAsync()
    {
        Task[] running;
        lock (_lock)
        {
            _stopped = true;
            foreach (CertificateEntry entry in _entries.Values)
            {
                if (!entry.IsInFlight) Settle(entry, "the certificate store is stopping");
            }

            _queue.Clear();
            running = [.. _inFlight.Values];
        }

        await _timer.DisposeAsync().ConfigureAwait(false);
        await Task.WhenAll(running).ConfigureAwait(false);
    }

    private static ValueTask<WorkloadCertificate> Unavailable(string error) => ValueTask.FromException<WorkloadCertificate>(new CertificateUnavailableException(error));

    private static void Settle(CertificateEntry entry, string error)
    {
        if (entry.Waiters is not { } waiters) return;
        entry.Waiters = null;
        waiters.TrySetException(new CertificateUnavailableException(error));
        // Read once, so that it counts as observed where all waiters have given up.
        _ = waiters.Task.Exception;
    }

    private static CertificateStatus Describe(CertificateEntry entry, DateTimeOffset now)
    {
        WorkloadCertificate? usable = entry.Usable(now);
        CertificateState state = usable is not null ? CertificateState.Available : entry.Error is not null ? CertificateState.Unavailable : CertificateState.Initializing;
        return new CertificateStatus(entry.Identity, state, usable, entry.Error, entry.IsQueued ? entry.Due : null);
    }

    /// <summary>Finds or makes the entry and sees to it that somebody works on it.</summary>
    private bool TryWant(SpiffeId identity, CertificatePriority priority, out CertificateEntry entry)
    {
        if (!_entries.TryGetValue(identity, out entry!))
        {
            if (_entries.Count >= _settings.MaxIdentities) return false;
            entry = new CertificateEntry(identity, priority);
            _entries.Add(identity, entry);
            _queue.Add(entry, priority, _time.GetUtcNow());
        }
        else if (entry.DropAt is not null)
        {
            entry.DropAt = null;
            if (entry.IsInFlight) return true;
            DateTimeOffset now = _time.GetUtcNow();
            if (entry.Usable(now) is { } usable) _queue.Add(entry, CertificatePriority.Background, RenewalPolicy.AfterIssue(_settings, now, usable.NotAfter));
            else _queue.Add(entry, priority, now);
        }

        return true;
    }

    /// <summary>The timer's turn.</summary>
    private void Look()
    {
        lock (_lock)
        {
            if (_stopped) return;
            DateTimeOffset now = _time.GetUtcNow();
            while (_queue.TakeDrop(now) is { } entry)
            {
                // One still in flight goes when that ends.
                if (!entry.IsInFlight) _entries.Remove(entry.Identity);
            }

            StartDue();
        }
    }

    private void StartDue()
    {
        DateTimeOffset now = _time.GetUtcNow();
        while (_inFlight.Count < _settings.MaxInFlight && _queue.TakeDue(now) is { } next)
        {
            next.IsInFlight = true;
            // On the pool: GetAsync is called by event loops, and making a key takes a while.
            _inFlight.Add(next, Task.Run(() => RequestAsync(next)));
        }

        Sleep();
    }

    /// <summary>Arms the timer for whatever comes next. With no free place nothing needs it: a request that ends looks at the queue itself.</summary>
    private void Sleep()
    {
        DateTimeOffset now = _time.GetUtcNow();
        DateTimeOffset? next = _inFlight.Count < _settings.MaxInFlight ? _queue.NextRequest : null;
        if (_queue.NextDrop is { } drop && !(next <= drop)) next = drop;
        if (next is null) return;
        TimeSpan wait = next.Value - now;
        _timer.Change(wait < TimeSpan.Zero ? TimeSpan.Zero : wait > LongestSleep ? LongestSleep : wait, Timeout.InfiniteTimeSpan);
    }

    private async Task RequestAsync(CertificateEntry entry)
    {
        long started = _time.GetTimestamp();
        WorkloadCertificate? issued = null;
        string? error = null;
        using (var timeout = new CancellationTokenSource(_settings.RequestTimeout, _time))
        {
            try
            {
                issued = await SignAsync(entry.Identity, timeout.Token).ConfigureAwait(false);
                if (issued.NotAfter <= _time.GetUtcNow())
                    error = $"the certificate returned from CA for {entry.Identity} has expired at {issued.NotAfter:u}";
            }
            catch (OperationCanceledException) when (timeout.IsCancellationRequested)
            {
                error = $"certificate request for {entry.Identity} timed out after {_settings.RequestTimeout.TotalSeconds:0.#}s";
            }
            catch (Exception failure)
            {
                // Whatever an authority throws is this identity's failure, to be shown and retried; it must not end the scheduling of the others.
                error = failure.Message;
            }
        }

        if (error is null) Accept(entry, issued!, _time.GetElapsedTime(started));
        else Reject(entry, error);
    }

    /// <summary>Asks the authority; the time limit holds for one that ignores its token too, and what that brings later is thrown away.</summary>
    private async Task<WorkloadCertificate> SignAsync(SpiffeId identity, CancellationToken timeout)
    {
        Task<WorkloadCertificate> signing = _authority.SignAsync(identity, timeout);
        try
        {
            return await signing.WaitAsync(timeout).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!signing.IsCompleted)
        {
            _ = signing.ContinueWith(Discard, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            throw;
        }
    }

    private static void Discard(Task<WorkloadCertificate> late)
    {
        if (late.IsCompletedSuccessfully) late.Result.Dispose();
        else _ = late.Exception;
    }

    private void Accept(CertificateEntry entry, WorkloadCertificate issued, TimeSpan took)
    {
        DateTimeOffset renewal;
        lock (_lock)
        {
            End(entry);
            // Forgotten by the store, but tunnels still hold it: they see that its time is over when they are next asked for a stream.
            entry.Certificate?.Supersede();
            entry.Certificate = issued;
            entry.Error = null;
            entry.Failures = 0;
            DateTimeOffset now = _time.GetUtcNow();
            entry.ReceivedAt = now;
            renewal = RenewalPolicy.AfterIssue(_settings, now, issued.NotAfter);
            entry.Waiters?.TrySetResult(issued);
            entry.Waiters = null;
            if (entry.DropAt <= now) _entries.Remove(entry.Identity);
            else if (!_stopped && entry.DropAt is null) _queue.Add(entry, CertificatePriority.Background, renewal);
            if (!_stopped) StartDue();
        }

        _events?.Issued(issued, took, renewal);
    }

    private void Reject(CertificateEntry entry, string error)
    {
        DateTimeOffset retry;
        bool stillValid;
        bool stopped;
        lock (_lock)
        {
            stopped = _stopped;
            End(entry);
            entry.Failures++;
            DateTimeOffset now = _time.GetUtcNow();
            retry = now + RenewalPolicy.Backoff(_settings, entry.Failures);
            stillValid = entry.Usable(now) is not null;
            if (stillValid)
            {
                if (entry.Certificate!.NotAfter < retry) retry = entry.Certificate.NotAfter;
            }
            else
            {
                entry.Certificate = null;
                entry.Error = error;
            }

            if (!stillValid || _stopped) Settle(entry, error);
            if (entry.DropAt is not null && entry.Certificate is null) _entries.Remove(entry.Identity);
            else if (!_stopped && entry.DropAt is null) _queue.Add(entry, CertificatePriority.Background, retry);
            if (!_stopped) StartDue();
        }

        // What is given up at the end is no failure, and there is no retry to announce.
        if (!stopped) _events?.Failed(entry.Identity, error, retry, stillValid);
    }

    private void End(CertificateEntry entry)
    {
        entry.IsInFlight = false;
        _inFlight.Remove(entry);
    }
}
