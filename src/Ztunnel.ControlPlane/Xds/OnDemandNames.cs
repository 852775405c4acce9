namespace Ztunnel.ControlPlane.Xds;

/// <summary>What became of a resource that was asked for.</summary>
public enum OnDemandOutcome
{
    /// <summary>It is in the mesh now.</summary>
    Found,

    /// <summary>The control plane does not know it.</summary>
    Absent,

    /// <summary>No answer in time, or too many questions are open: nothing is known, so nothing may be concluded.</summary>
    Unknown,
}

/// <summary>The names asked for one by one in on-demand mode, and their answers (control-path 3.8).</summary>
/// <remarks>
/// A name is asked for once on a stream, since the server does not answer a second time; whoever wants it meanwhile waits for the same answer. A negative answer is kept until a
/// push names the key, or until there is no room: whoever dials through an address range must not take the memory, nor the place of names that are in use. Answers come by the resource's name or by an alias: an address is answered with the workload or service that has it.
/// Called by any thread.
/// </remarks>
internal sealed class OnDemandNames(int limit)
{
    private sealed class Entry
    {
        public TaskCompletionSource<OnDemandOutcome> Answer { get; private set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int AskedOnStream { get; set; }

        /// <summary>The last answer was that there is nothing of this name.</summary>
        public bool IsAbsent { get; private set; }

        /// <summary>The resource that answered for an alias.</summary>
        public string? Resource { get; set; }

        public void Resolve(OnDemandOutcome outcome)
        {
            IsAbsent = outcome == OnDemandOutcome.Absent;
            if (Answer.Task.IsCompleted) Answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
            Answer.SetResult(outcome);
        }
    }

    private readonly Lock _gate = new();   // guards everything below
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<string>> _aliases = new(StringComparer.Ordinal);   // resource to the asked names it answered
    private readonly Queue<string> _absent = new();                                                // in the order of the answers; some may have come into being since
    private List<string> _evicted = [];                                                            // to be given up at the server

    /// <summary>The answer to wait for. True: the name is new and has to be asked for. Null answer: too many names.</summary>
    public bool TryBegin(string name, out Task<OnDemandOutcome>? answer)
    {
        lock (_gate)
        {
            bool isNew = !_entries.TryGetValue(name, out Entry? entry);
            if (isNew && _entries.Count >= limit && !TryEvict())
            {
                answer = null;
                return false;
            }
            if (isNew) _entries[name] = entry = new Entry();
            answer = entry!.Answer.Task;
            return isNew;
        }
    }

    /// <summary>The names that made room for others since the last call: the server must forget them, too, so that they can be asked for again.</summary>
    public IReadOnlyList<string> TakeEvicted()
    {
        lock (_gate)
        {
            List<string> evicted = _evicted;
            _evicted = [];
            return evicted;
        }
    }

    /// <summary>The name could not be asked for: whoever waits learns that nothing is known, and the next one may try again.</summary>
    public void Forget(string name)
    {
        lock (_gate)
        {
            if (_entries.Remove(name, out Entry? entry)) entry.Resolve(OnDemandOutcome.Unknown);
        }
    }

    /// <summary>True: the name has not been asked for on this stream; now it counts as asked.</summary>
    public bool TryAsk(string name, int stream)
    {
        lock (_gate)
        {
            if (!_entries.TryGetValue(name, out Entry? entry) || entry.AskedOnStream == stream) return false;
            entry.AskedOnStream = stream;
            return true;
        }
    }

    /// <summary>Every name, to be asked for again on a new stream.</summary>
    public List<string> AskAll(int stream)
    {
        lock (_gate)
        {
            foreach (Entry entry in _entries.Values) entry.AskedOnStream = stream;
            _evicted = [];   // the server of a new stream has never heard of them
            return [.. _entries.Keys];
        }
    }

    /// <summary>A resource is in the mesh under its name and these aliases. Called after readers can see it.</summary>
    public void OnPresent(string name, IEnumerable<string> aliases)
    {
        lock (_gate)
        {
            if (_entries.TryGetValue(name, out Entry? entry)) entry.Resolve(OnDemandOutcome.Found);
            foreach (string alias in aliases)
            {
                if (!_entries.TryGetValue(alias, out Entry? asked)) continue;
                asked.Resource = name;
                if (!_aliases.TryGetValue(name, out HashSet<string>? answered)) _aliases[name] = answered = [];
                answered.Add(alias);
                asked.Resolve(OnDemandOutcome.Found);
            }
        }
    }

    /// <summary>The server says that there is nothing of this name. Returns the asked names that it had answered under another name: they are forgotten here and must be given up there, so that they can be asked for again.</summary>
    public IReadOnlyCollection<string> OnAbsent(string name)
    {
        lock (_gate)
        {
            if (_entries.TryGetValue(name, out Entry? entry))
            {
                if (!entry.IsAbsent) QueueAbsent(name);
                entry.Resolve(OnDemandOutcome.Absent);
            }
            if (!_aliases.Remove(name, out HashSet<string>? answered)) return [];

            answered.RemoveWhere(alias => !_entries.TryGetValue(alias, out Entry? asked) || asked.Resource != name);
            foreach (string alias in answered) _entries.Remove(alias);
            return answered;
        }
    }

    // Names that came into being and went again are in the queue more than once; beyond twice the limit most of them are.
    private void QueueAbsent(string name)
    {
        if (_absent.Count >= 2 * limit)
        {
            _absent.Clear();
            foreach ((string known, Entry entry) in _entries)
            {
                if (entry.IsAbsent) _absent.Enqueue(known);
            }
        }
        _absent.Enqueue(name);
    }

    /// <summary>Forgets the negative answer that is known longest.</summary>
    private bool TryEvict()
    {
        while (_absent.TryDequeue(out string? name))
        {
            if (!_entries.TryGetValue(name, out Entry? entry) || !entry.IsAbsent) continue;
            _entries.Remove(name);
            _evicted.Add(name);
            return true;
        }
        return false;
    }
}
