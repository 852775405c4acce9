using Ztunnel.Http2;
using Ztunnel.Proxy.Connections;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy.Telemetry;

/// <summary>The metrics of tunnels: how many are open, how their handshakes and their lives ended, how many streams they carry. Counted by verbs of <see cref="TunnelCounts"/>, a loop and role each.</summary>
public sealed class TunnelMetrics
{
    internal const int OpenCell = 0;
    internal const int OpenedCell = 1;
    internal const int StreamsOpenCell = 2;
    internal const int StreamsOpenedCell = 3;
    internal const int FirstClosedCell = 4;

    private const string Unstable = " (unstable)";

    private static readonly int Reasons = EndReasons.All.Count;
    private static readonly int FirstHandshakeCell = FirstClosedCell + Reasons;
    private static readonly int CellsPerRole = FirstHandshakeCell + Reasons;
    private static readonly Http2Role[] Roles = [Http2Role.Client, Http2Role.Server];

    // Exported from the start, so that the first one of them is a change that rate() can see; what cannot happen to a tunnel or a handshake never appears.
    private static readonly EndReason[] UsualEnds = [EndReason.Completed, EndReason.Drained, EndReason.TunnelLost, EndReason.TunnelTimedOut, EndReason.Http2Failed];
    private static readonly EndReason[] UsualHandshakes = [EndReason.None, EndReason.TlsFailed, EndReason.IdentityRejected, EndReason.CertificateRevoked, EndReason.SetUpTimedOut];

    private readonly LoopCells _cells;

    public TunnelMetrics(MetricRegistry registry)
    {
        _cells = new LoopCells(registry.Settings.Loops, Roles.Length * CellsPerRole);
        Add(registry, MetricKind.Gauge, "ztunnel_tunnels_open", "Open tunnels by our role in them" + Unstable, OpenCell);
        Add(registry, MetricKind.Counter, "ztunnel_tunnels_opened", "Tunnels that were opened" + Unstable, OpenedCell);
        AddByReason(registry, "ztunnel_tunnels_closed", "Tunnels that ended, by reason code; completed: nobody needed them any more" + Unstable, "reason", FirstClosedCell, UsualEnds);
        Add(registry, MetricKind.Gauge, "ztunnel_streams_open", "Open streams in tunnels: connections that share them" + Unstable, StreamsOpenCell);
        Add(registry, MetricKind.Counter, "ztunnel_streams_opened", "Streams that were opened" + Unstable, StreamsOpenedCell);
        AddByReason(registry, "ztunnel_handshakes", "TLS handshakes by result: succeeded, or the reason code of the failure" + Unstable, "result", FirstHandshakeCell, UsualHandshakes);
    }

    /// <summary>What one loop counts for tunnels in one role.</summary>
    internal TunnelCounts On(int loop, Http2Role role) => new(_cells, loop, CellOf(role, 0), FirstHandshakeCell);

    private static int CellOf(Http2Role role, int cell) => (role == Http2Role.Client ? 0 : CellsPerRole) + cell;

    private static string Word(Http2Role role) => role == Http2Role.Client ? "client" : "server";

    private void Add(MetricRegistry registry, MetricKind kind, string name, string help, int cell) =>
        registry.AddCallback(MetricGroup.Ztunnel, kind, name, help, ["role"], sink =>
        {
            foreach (Http2Role role in Roles)
                sink.Report(_cells.Read(CellOf(role, cell)), Word(role));
        });

    private void AddByReason(MetricRegistry registry, string name, string help, string label, int firstCell, EndReason[] usual) =>
        registry.AddCallback(MetricGroup.Ztunnel, MetricKind.Counter, name, help, ["role", label], sink =>
        {
            foreach (Http2Role role in Roles)
            {
                for (EndReason reason = 0; (int)reason < Reasons; reason++)
                {
                    long count = _cells.Read(CellOf(role, firstCell + (int)reason));
                    if (count != 0 || Array.IndexOf(usual, reason) >= 0)
                        sink.Report(count, Word(role), reason == EndReason.None ? "succeeded" : EndReasons.Describe(reason).Code);
                }
            }
        });
}

/// <summary>What one loop counts for tunnels in one role.</summary>
/// <remarks>Loop thread only.</remarks>
internal sealed class TunnelCounts(LoopCells cells, int loop, int firstCell, int firstHandshakeCell)
{
    public void Opened()
    {
        cells.Add(loop, firstCell + TunnelMetrics.OpenCell);
        cells.Add(loop, firstCell + TunnelMetrics.OpenedCell);
    }

    public void Closed(EndReason reason)
    {
        cells.Add(loop, firstCell + TunnelMetrics.OpenCell, -1);
        cells.Add(loop, firstCell + TunnelMetrics.FirstClosedCell + (int)reason);
    }

    public void StreamOpened()
    {
        cells.Add(loop, firstCell + TunnelMetrics.StreamsOpenCell);
        cells.Add(loop, firstCell + TunnelMetrics.StreamsOpenedCell);
    }

    public void StreamClosed() => cells.Add(loop, firstCell + TunnelMetrics.StreamsOpenCell, -1);

    /// <param name="reason">Why it failed; <see cref="EndReason.None"/> for success.</param>
    public void Handshake(EndReason reason) => cells.Add(loop, firstCell + firstHandshakeCell + (int)reason);
}
