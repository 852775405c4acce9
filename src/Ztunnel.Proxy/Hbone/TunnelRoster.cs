using Ztunnel.Http2;
using Ztunnel.Linux.Loop;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Telemetry;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Tls.Revocation;

namespace Ztunnel.Proxy.Hbone;

/// <summary>
/// The tunnels of one loop in one role: counted, and kept while they are open, so that those whose peer is revoked can be cut (data-path 6.4). Where nobody checks revocation none is kept.
/// </summary>
/// <remarks>Loop thread only, except where a method says otherwise. Judging takes some microseconds for each tunnel and happens on the pool.</remarks>
internal sealed class TunnelRoster(EventLoop loop, ProxyContext context, Http2Role role)
{
    private readonly HashSet<HboneConnection> _open = [];
    private readonly TunnelCounts _counts = context.Tunnels.On(loop.Index, role);
    private readonly Reporter _reporter = role == Http2Role.Server ? Reporter.Destination : Reporter.Source;

    /// <param name="reason">Why a handshake failed; <see cref="EndReason.None"/> for success.</param>
    public void Handshake(EndReason reason)
    {
        _counts.Handshake(reason);
        if (reason == EndReason.CertificateRevoked)
            context.Traffic.Revoked(_reporter);
    }

    /// <summary>A handshake has become a tunnel. If other lists have come into force since it judged the peer, that is done again.</summary>
    public void Opened(HboneConnection tunnel)
    {
        _counts.Opened();
        if (context.Revocations is not { } revocations)
            return;

        _open.Add(tunnel);
        if (tunnel.Session.Peer.RevocationGeneration != revocations.Generation)
            Judge(revocations, [tunnel]);
    }

    public void Closed(HboneConnection tunnel, EndReason reason)
    {
        _counts.Closed(reason);
        _open.Remove(tunnel);
    }

    public void StreamOpened() => _counts.StreamOpened();

    public void StreamClosed() => _counts.StreamClosed();

    /// <summary>Other lists are in force: every tunnel is judged again. Any thread.</summary>
    public void OnRevocationsChanged() => loop.Post(static state => ((TunnelRoster)state!).JudgeAll(), this);

    private void JudgeAll()
    {
        if (_open.Count > 0)
            Judge(context.Revocations!, [.. _open]);
    }

    private void Judge(Revocations revocations, HboneConnection[] tunnels) =>
        ThreadPool.UnsafeQueueUserWorkItem(static work => work.Roster.FindRevoked(work.Revocations, work.Tunnels), (Roster: this, Revocations: revocations, Tunnels: tunnels), preferLocal: false);

    /// <summary>On the pool. Who a tunnel's peer is never changes, so it may be read from here.</summary>
    private void FindRevoked(Revocations revocations, HboneConnection[] tunnels)
    {
        try
        {
            HboneConnection[] revoked = [.. tunnels.Where(tunnel => revocations.Revokes(tunnel.Session.Peer))];
            if (revoked.Length > 0)
                loop.Post(static state => ((Action)state!)(), (Action)(() => Cut(revoked)));
        }
        catch (Exception exception) // a list that cannot be applied must not end the process; the tunnels stay as they are
        {
            ProxyLog.Unexpected(context.RevocationLog, exception);
        }
    }

    private void Cut(HboneConnection[] revoked)
    {
        foreach (HboneConnection tunnel in revoked)
        {
            if (tunnel.IsClosed)
                continue;

            context.Traffic.Revoked(_reporter);
            ProxyLog.TunnelRevoked(context.RevocationLog, role == Http2Role.Server ? "inbound" : "outbound", tunnel.Session.Peer.Identity?.ToString() ?? "nobody", tunnel.Http2.ActiveStreams);
            tunnel.Shutdown(Http2ErrorCode.NoError, ConnectionOutcome.Revoked);
        }
    }
}
