namespace Ztunnel.Telemetry.Metrics;

/// <summary>
/// Series that come and go with the traffic, several numbers for each label set.
/// <para>
/// Every loop finds its own cells of a label set in a dictionary that only it touches, and pins them while something that counts there is open. The sweep (scrape or timer, any thread, one at a time)
/// collects new cells, merges those of all loops by label set, and retires a label set that nobody has pinned and nothing has changed for the quiet period: a compare-exchange of the pin count
/// from 0 to <see cref="Retired"/>, which the loop notices when it wants to pin again. If one loop was faster, the others' retired cells are folded into the merged series, so that a counter never goes back.
/// </para>
/// </summary>
internal sealed class SeriesTable<TLabels>
    where TLabels : class, IEquatable<TLabels>
{
    private const long Retired = long.MinValue / 2;

    private readonly int _valuesPerSeries;
    private readonly TimeSpan _quietPeriod;
    private readonly TimeProvider _time;

    // The last shard belongs to all threads that are no loop, and is used under its lock.
    private readonly Shard[] _shards;

    // Owned by the sweep, under its lock.
    private readonly Lock _sweeping = new();
    private readonly Dictionary<TLabels, Series> _merged = [];
    private long _nextOrdinal;
    private volatile Series[] _series = [];

    public SeriesTable(int loops, int valuesPerSeries, TimeSpan quietPeriod, TimeProvider time)
    {
        _valuesPerSeries = valuesPerSeries;
        _quietPeriod = quietPeriod;
        _time = time;
        _shards = new Shard[loops + 1];
        for (int i = 0; i < _shards.Length; i++)
            _shards[i] = new Shard();
    }

    /// <summary>The series as of the last sweep, oldest first.</summary>
    public IReadOnlyList<Series> Current => _series;

    /// <summary>The cells of these labels on a loop, pinned until <see cref="Unpin"/>. Loop thread only.</summary>
    public Cells Pin(int loop, TLabels labels) => Pin(_shards[loop], labels);

    public static void Unpin(Cells cells) => Interlocked.Decrement(ref cells.Pins);

    /// <summary>For threads that are no event loop: one addition to one value.</summary>
    public void AddShared(TLabels labels, ReadOnlySpan<(int Value, long Amount)> additions)
    {
        Shard shard = _shards[^1];
        lock (shard)
        {
            Cells cells = Pin(shard, labels);
            foreach ((int value, long amount) in additions)
                cells.Add(value, amount);
            Unpin(cells);
        }
    }

    /// <summary>Lets go of retired cells. The loop does this by itself when it next pins; an idle one is asked to by its timer. Loop thread only.</summary>
    public void Trim(int loop) => Trim(_shards[loop]);

    public void Sweep(long now)
    {
        lock (_sweeping)
        {
            bool changed = false;
            foreach (Shard shard in _shards)
            {
                for (Cells? cells = Interlocked.Exchange(ref shard.Added, null); cells is not null; cells = cells.NextAdded)
                    changed |= Merge(cells, now);
            }

            foreach (Series series in _merged.Values)
                changed |= RetireWhenQuiet(series, now);
            // What thousands of series needed is not kept for the few that are left.
            if (_merged.Count * 4 < _merged.Capacity)
                _merged.TrimExcess();
            if (changed)
                _series = [.. _merged.Values.OrderBy(static series => series.Ordinal)];
        }
    }

    private Cells Pin(Shard shard, TLabels labels)
    {
        Trim(shard);
        if (shard.ByLabels.TryGetValue(labels, out Cells? cells) && Interlocked.Increment(ref cells.Pins) > 0)
            return cells;

        cells = new Cells(labels, shard, _valuesPerSeries) { Pins = 1 };
        shard.ByLabels[labels] = cells;
        Cells? first;
        do
        {
            first = Volatile.Read(ref shard.Added);
            cells.NextAdded = first;
        }
        while (Interlocked.CompareExchange(ref shard.Added, cells, first) != first);
        return cells;
    }

    private static void Trim(Shard shard)
    {
        int retirements = Volatile.Read(ref shard.Retirements);
        if (retirements == shard.SeenRetirements)
            return;
        shard.SeenRetirements = retirements;
        foreach ((TLabels labels, Cells cells) in shard.ByLabels)
        {
            if (Volatile.Read(ref cells.Pins) < 0)
                shard.ByLabels.Remove(labels);
        }

        if (shard.ByLabels.Count * 4 < shard.ByLabels.Capacity)
            shard.ByLabels.TrimExcess();
    }

    private bool Merge(Cells cells, long now)
    {
        if (_merged.TryGetValue(cells.Labels, out Series? series))
        {
            series.Attach(cells);
            return false;
        }

        _merged.Add(cells.Labels, new Series(cells, now, _nextOrdinal++));
        return true;
    }

    private bool RetireWhenQuiet(Series series, long now)
    {
        if (series.NoticeActivity(now) || _time.GetElapsedTime(series.LastActivity, now) < _quietPeriod)
            return false;
        foreach (Cells cells in series.Parts)
        {
            if (Interlocked.CompareExchange(ref cells.Pins, Retired, 0) != 0)
                continue;
            series.Fold(cells);
            Interlocked.Increment(ref cells.Shard.Retirements);
        }

        return series.Parts.Length == 0 && _merged.Remove(series.Labels);
    }

    /// <summary>What one thread has counted for one label set.</summary>
    public sealed class Cells
    {
        // Cells of different loops may become neighbours when the collector moves them; a cache line on both sides keeps them apart.
        private const int Padding = 8;

        private readonly long[] _values;

        public Cells(TLabels labels, Shard shard, int values)
        {
            Labels = labels;
            Shard = shard;
            _values = new long[values + 2 * Padding];
        }

        public TLabels Labels { get; }

        internal Shard Shard { get; }

        internal Cells? NextAdded;

        internal long Pins;

        public int Count => _values.Length - 2 * Padding;

        /// <summary>Owner only: a plain add that readers see whole.</summary>
        public void Add(int value, long amount)
        {
            ref long cell = ref _values[Padding + value];
            Volatile.Write(ref cell, cell + amount);
        }

        public long Read(int value) => Volatile.Read(ref _values[Padding + value]);
    }

    /// <summary>One label set, merged over all threads.</summary>
    public sealed class Series
    {
        // Swapped as a whole: readers of a running scrape do not take the sweep's lock.
        private volatile State _state;
        private long _lastSum;

        public Series(Cells first, long now, long ordinal)
        {
            Labels = first.Labels;
            Ordinal = ordinal;
            LastActivity = now;
            _state = new State(new long[first.Count], [first]);
        }

        public TLabels Labels { get; }

        public long Ordinal { get; }

        public long LastActivity { get; private set; }

        public Cells[] Parts => _state.Parts;

        public long Read(int value)
        {
            State state = _state;
            long sum = state.Folded[value];
            foreach (Cells part in state.Parts)
                sum += part.Read(value);
            return sum;
        }

        public void Attach(Cells cells) => _state = _state with { Parts = [.. _state.Parts, cells] };

        public void Fold(Cells cells)
        {
            State state = _state;
            long[] folded = new long[state.Folded.Length];
            for (int i = 0; i < folded.Length; i++)
                folded[i] = state.Folded[i] + cells.Read(i);
            _state = new State(folded, [.. state.Parts.Where(part => part != cells)]);
        }

        /// <summary>Whether something is open or has been counted since the last look.</summary>
        public bool NoticeActivity(long now)
        {
            bool pinned = false;
            long sum = 0;
            foreach (Cells part in _state.Parts)
                pinned |= Volatile.Read(ref part.Pins) > 0;
            // Sums of counters only: every activity makes at least one of them larger.
            for (int i = 0; i < _state.Folded.Length; i++)
                sum += Read(i);
            bool active = pinned || sum != _lastSum;
            _lastSum = sum;
            if (active)
                LastActivity = now;
            return active;
        }

        private sealed record State(long[] Folded, Cells[] Parts);
    }

    /// <summary>The cells of one thread.</summary>
    public sealed class Shard
    {
        // Owner only.
        internal readonly Dictionary<TLabels, Cells> ByLabels = [];
        internal int SeenRetirements;

        // Shared with the sweep.
        internal Cells? Added;
        internal int Retirements;
    }
}
