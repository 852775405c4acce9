using System.Diagnostics.CodeAnalysis;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.Routing;

/// <summary>How a connection is carried on.</summary>
public enum RouteKind : byte
{
    /// <summary>Not at all: see the error.</summary>
    Refuse,

    /// <summary>Plain TCP.</summary>
    Tcp,

    /// <summary>Through one HBONE tunnel.</summary>
    Hbone,

    /// <summary>Through a tunnel to a network gateway, and in it another one to the workload.</summary>
    DoubleHbone,
}

/// <summary>The decision for one connection, with the candidates it may try. It belongs to that connection and remembers which ones it has handed out.</summary>
public sealed class Route
{
    /// <summary>Candidates of one route, the first included: more would outlast any client, and what is offered is remembered in a list that is searched.</summary>
    public const int MaxCandidates = 16;

    private readonly CandidateSequence? _candidates;
    private int _offered = 1;

    private Route(RefuseReason reason, string error)
    {
        Kind = RouteKind.Refuse;
        Reason = reason;
        Error = error;
    }

    internal Route(NextHop first, Service? service, CandidateSequence? candidates)
    {
        Kind = first.Kind;
        First = first;
        Service = service;
        _candidates = candidates;
    }

    /// <summary>That of the first candidate; another one may differ, and says so itself.</summary>
    public RouteKind Kind { get; }

    public RefuseReason Reason { get; }

    /// <summary>Text for the log when refused (data-path appendix B), else null.</summary>
    public string? Error { get; }

    /// <summary>The service the client meant, for telemetry and the <c>forwarded</c> header.</summary>
    public Service? Service { get; }

    /// <summary>Null when refused.</summary>
    public NextHop? First { get; }

    /// <summary>Another candidate, for use when connecting to the one before failed: not offered before, the next best.</summary>
    public bool TryNext([NotNullWhen(true)] out NextHop? next)
    {
        next = null;
        if (_candidates is null || _offered >= MaxCandidates || !_candidates.TryNext(out next)) return false;
        _offered++;
        return true;
    }

    internal static Route Refused(RefuseReason reason, string error) => new(reason, error);
}
