using System.Net;
using Ztunnel.Mesh.State;

namespace Ztunnel.Proxy.Connections;

/// <summary>One connection of an application in the table of its loop: what the admin port shows of it, and how it is ended from outside.</summary>
/// <remarks>Loop thread only.</remarks>
internal abstract class TrackedConnection(IPEndPoint source, IPEndPoint originalDestination)
{
    /// <summary>Neighbours in the table, which owns them.</summary>
    internal TrackedConnection? Previous { get; set; }

    internal TrackedConnection? Next { get; set; }

    internal bool IsTracked { get; set; }

    // What a look at quiet connections saw last.
    private long _movedBytes = -1;
    private long _quietSinceMilliseconds;

    public IPEndPoint Source { get; } = source;

    public IPEndPoint OriginalDestination { get; } = originalDestination;

    protected abstract ConnectionTable Table { get; }

    /// <summary>How the admin port shows the connection.</summary>
    public abstract ConnectionEntry Describe();

    /// <summary>Ends the connection at once; the applications see a reset.</summary>
    public abstract void Abort(ConnectionOutcome outcome);

    /// <summary>Policies, or the workload they apply to, have changed: a connection that is no longer allowed ends.</summary>
    /// <param name="mesh">The state to judge by.</param>
    /// <param name="unknownPoliciesCount">False while policies the workload refers to may still be on their way.</param>
    /// <returns>True when the decision depends on a policy that is not there yet.</returns>
    public virtual bool Reauthorize(MeshSnapshot mesh, bool unknownPoliciesCount) => false;

    /// <summary>Ends the connection if it has been quiet for too long.</summary>
    public void EndIfQuiet(QuietLimits limits, long nowMilliseconds)
    {
        (long moved, bool halfClosed) = Progress;
        if (moved != _movedBytes)
        {
            _movedBytes = moved;
            _quietSinceMilliseconds = nowMilliseconds;
        }
        else if (limits.Judge(TimeSpan.FromMilliseconds(nowMilliseconds - _quietSinceMilliseconds), halfClosed) is { } outcome)
        {
            Abort(outcome);
        }
    }

    /// <summary>Bytes moved so far, and whether one side has ended. While a connection is set up other limits hold: it looks as if it moved.</summary>
    protected abstract (long MovedBytes, bool IsHalfClosed) Progress { get; }

    protected void Track() => Table.Add(this);

    protected void Untrack() => Table.Remove(this);
}

/// <summary>A row of the admin port's connection list (data-path 6.2).</summary>
/// <param name="IsInbound">Accepted on 15008 or 15006; otherwise on 15001.</param>
/// <param name="Source">The client.</param>
/// <param name="OriginalDestination">What the client dialled: an address, or the service named in <c>forwarded</c>; null when unknown.</param>
/// <param name="ActualDestination">The address dialled in its place.</param>
/// <param name="Protocol"><c>TCP</c>, <c>HBONE</c> or <c>DOUBLEHBONE</c>.</param>
public sealed record ConnectionEntry(bool IsInbound, IPEndPoint Source, string? OriginalDestination, IPEndPoint ActualDestination, string Protocol);
