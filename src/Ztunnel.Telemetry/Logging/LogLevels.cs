namespace Ztunnel.Telemetry.Logging;

/// <summary>Holds the filter in force and tells every logger its level whenever that changes, so that asking "is this enabled" reads one field.</summary>
public sealed class LogLevels
{
    private readonly Lock _changing = new();
    private readonly List<LogGate> _gates = [];

    public LogLevels(LogFilter initial)
    {
        Initial = initial;
        Current = initial;
    }

    /// <summary>The filter of the start, which a reset goes back to.</summary>
    public LogFilter Initial { get; }

    public LogFilter Current { get; private set; }

    public void Replace(LogFilter filter)
    {
        lock (_changing)
        {
            Current = filter;
            foreach (LogGate gate in _gates)
                gate.Level = filter.LevelOf(gate.Target);
        }
    }

    /// <summary>The gate of a target, kept up to date.</summary>
    public LogGate GateOf(LogTarget target)
    {
        lock (_changing)
        {
            if (_gates.Find(gate => gate.Target.Full == target.Full && gate.Target.Spans == target.Spans) is { } known)
                return known;
            var gate = new LogGate(target) { Level = Current.LevelOf(target) };
            _gates.Add(gate);
            return gate;
        }
    }
}

/// <summary>Whether lines of one target are wanted at a level.</summary>
public sealed class LogGate(LogTarget target)
{
    private volatile LogSeverity _level;

    public LogTarget Target { get; } = target;

    public LogSeverity Level
    {
        get => _level;
        internal set => _level = value;
    }

    public bool IsOpen(LogSeverity severity) => severity <= _level && severity != LogSeverity.Off;
}
