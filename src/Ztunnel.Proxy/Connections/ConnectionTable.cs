using Ztunnel.Mesh.State;
using Ztunnel.Proxy.Accepting;

namespace Ztunnel.Proxy.Connections;

/// <summary>The open connections of one pod on one loop, in no particular order.</summary>
/// <remarks>Loop thread only. Connections form a list through their own fields, so that neither entering nor leaving allocates.</remarks>
internal sealed class ConnectionTable(LoopLoad load)
{
    private readonly List<TaskCompletionSource> _waitingForEmpty = [];
    private TrackedConnection? _first;

    public int Count { get; private set; }

    public void Add(TrackedConnection connection)
    {
        if (connection.IsTracked)
            return;

        connection.IsTracked = true;
        connection.Next = _first;
        if (_first is { } first)
            first.Previous = connection;
        _first = connection;
        Count++;
        load.ConnectionEntered();
    }

    public void Remove(TrackedConnection connection)
    {
        if (!connection.IsTracked)
            return;

        connection.IsTracked = false;
        if (connection.Previous is { } previous)
            previous.Next = connection.Next;
        else
            _first = connection.Next;
        if (connection.Next is { } next)
            next.Previous = connection.Previous;
        connection.Previous = connection.Next = null;
        Count--;
        load.ConnectionLeft();
        CompleteIfEmpty();
    }

    public IReadOnlyList<ConnectionEntry> Describe()
    {
        var entries = new List<ConnectionEntry>(Count);
        for (TrackedConnection? connection = _first; connection is not null; connection = connection.Next)
            entries.Add(connection.Describe());
        return entries;
    }

    /// <inheritdoc cref="TrackedConnection.Reauthorize"/>
    public bool Reauthorize(MeshSnapshot mesh, bool unknownPoliciesCount)
    {
        bool undecided = false;
        for (TrackedConnection? connection = _first; connection is not null;)
        {
            TrackedConnection? next = connection.Next;
            undecided |= connection.Reauthorize(mesh, unknownPoliciesCount);
            connection = next;
        }

        return undecided;
    }

    /// <inheritdoc cref="TrackedConnection.EndIfQuiet"/>
    public void EndQuiet(QuietLimits limits, long nowMilliseconds)
    {
        for (TrackedConnection? connection = _first; connection is not null;)
        {
            TrackedConnection? next = connection.Next;
            connection.EndIfQuiet(limits, nowMilliseconds);
            connection = next;
        }
    }

    public void AbortAll(ConnectionOutcome outcome)
    {
        while (_first is { } connection)
        {
            connection.Abort(outcome);
            // A connection that does not leave by itself must not hold the others.
            Remove(connection);
        }
    }

    /// <summary>Completes when no connection is left.</summary>
    public Task WhenEmpty()
    {
        if (Count == 0)
            return Task.CompletedTask;

        var waiting = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _waitingForEmpty.Add(waiting);
        return waiting.Task;
    }

    private void CompleteIfEmpty()
    {
        if (Count > 0 || _waitingForEmpty.Count == 0)
            return;

        foreach (TaskCompletionSource waiting in _waitingForEmpty)
            waiting.TrySetResult();
        _waitingForEmpty.Clear();
    }
}
