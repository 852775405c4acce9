namespace Ztunnel.Proxy.Hbone;

/// <summary>What waits in a <see cref="SendQueue"/>. The link is in the element, so that queueing allocates nothing.</summary>
internal abstract class SendCandidate
{
    internal SendCandidate? NextReady { get; set; }

    /// <summary>In a queue; in one at most.</summary>
    internal bool IsQueuedForSending { get; set; }

    /// <summary>Its last turn brought much; see <see cref="SendTurns"/>.</summary>
    internal bool IsBulk { get; set; }
}

/// <summary>Those of one tunnel that have something to send, in order.</summary>
internal struct SendQueue
{
    private SendCandidate? _first;
    private SendCandidate? _last;

    public readonly bool IsEmpty => _first is null;

    public void Append(SendCandidate candidate)
    {
        candidate.IsQueuedForSending = true;
        if (_last is { } last)
            last.NextReady = candidate;
        else
            _first = candidate;
        _last = candidate;
    }

    public void Prepend(SendCandidate candidate)
    {
        candidate.IsQueuedForSending = true;
        candidate.NextReady = _first;
        _first = candidate;
        _last ??= candidate;
    }

    /// <summary>Takes the first out of a queue that is not empty.</summary>
    public SendCandidate Dequeue()
    {
        SendCandidate candidate = _first!;
        _first = candidate.NextReady;
        if (_first is null)
            _last = null;
        candidate.NextReady = null;
        candidate.IsQueuedForSending = false;
        return candidate;
    }
}
