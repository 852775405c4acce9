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
/// push names the key. Answers come by the resource's name or by an alias: an address is answered with the workload or service that has it.
/// Called by any thread.
/// </remarks>
internal sealed class OnDemandNames(int limit)
{
    private sealed class Entry
    {
        public TaskCompletionSource<OnDemandOutcome> Answer { get; private set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int AskedOnStream { get; set; }

        /// <summary>The resource that answered for an alias.</summary>
        public string? Resource { get; set; }

        public void Resolve(OnDemandOutcome outcome)
        {
            if (Answer.Task.IsCompleted) Answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
            Answer.SetResult(outcome);
        }
    }

    private readonly Lock _gate = new();   // guards everything below
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<string>> _aliases = new(StringComparer.Ordinal);   // resource to the asked names it answered

    /// <summary>The answer to wait for. True: the name is new and has to be asked for. Null answer: too many names.</summary>
    public bool TryBegin(string name, out Task<OnDemandOutcome>? answer)
    {
        lock (_gate)
        {
            bool isNew = !_entries.TryGetValue(name, out Entry? entry);
            if (isNew && _entries.Count >= limit)
            {
                answer = null;
                return false;
            }
            if (isNew) _entries[name] = entry = new Entry();
            answer = entry!.Answer.Task;
            return isNew;
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
            if (_entries.TryGetValue(name, out Entry? entry)) entry.Resolve(OnDemandOutcome.Absent);
            if (!_aliases.Remove(name, out HashSet<string>? answered)) return [];

            answered.RemoveWhere(alias => !_entries.TryGetValue(alias, out Entry? asked) || asked.Resource != name);
            foreach (string alias in answered) _entries.Remove(alias);
            return answered;
        }
    }
}
