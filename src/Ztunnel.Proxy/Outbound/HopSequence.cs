using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Telemetry;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy.Outbound;

/// <summary>
/// The next hops of one connection in order of preference, until one answers, within one time limit (connect-phase failover). Nothing of the application has been read meanwhile, so a failed hop
/// costs it nothing but time.
/// </summary>
internal sealed class HopSequence
{
    private readonly WorkloadLoop _home;
    private readonly OutboundCall _call;
    private readonly HopConnector _connector;
    private bool _abandoned;

    public HopSequence(WorkloadLoop home, OutboundCall call)
    {
        _home = home;
        _call = call;
        _connector = new HopConnector(home, call);
        Hop = call.Route.First!;
    }

    public OutboundCall Call => _call;

    /// <summary>The hop that is being tried, or was last.</summary>
    public NextHop Hop { get; private set; }

    public int Attempts { get; private set; }

    /// <summary>The endpoint that <see cref="EndpointLoad"/> counts a connection for; whoever takes the result ends that.</summary>
    public Workload? Endpoint { get; private set; }

    public async ValueTask<HopResult> ConnectAsync()
    {
        long deadline = _home.Loop.NowMilliseconds + (long)_home.Context.Settings.SetUp.Total.TotalMilliseconds;
        NextHop hop = Hop;
        bool repeated = false;
        while (true)
        {
            Attempts++;
            HopResult result = await TryAsync(hop, deadline, repeated);
            if (result.Succeeded || _abandoned || _home.Loop.NowMilliseconds >= deadline)
                return result;

            // A tunnel that broke or was being closed under an unanswered CONNECT has delivered nothing: a fresh one decides.
            if (result.IsWorthAnotherAttempt && !repeated)
            {
                _home.Context.Outcomes.Retried(_home.Loop.Index, sameEndpoint: true, result.Outcome.Reason);
                repeated = true;
                continue;
            }

            if (!result.IsWorthAnotherHop || !_call.Route.TryNext(out NextHop? next))
                return result;

            _home.Context.Outcomes.Retried(_home.Loop.Index, sameEndpoint: false, result.Outcome.Reason);
            hop = next;
            repeated = false;
        }
    }

    /// <summary>Nobody wants the result any more.</summary>
    public void Abandon()
    {
        _abandoned = true;
        _connector.Abandon();
    }

    private async ValueTask<HopResult> TryAsync(NextHop hop, long deadlineMilliseconds, bool repeated)
    {
        Hop = hop;
        if (hop.Hostname is { } hostname)
        {
            _home.Context.Traffic.OnDemandDns(_home.Loop.Index, new OnDemandDnsLabels(ConnectionLabels.Of(_call.Local), _call.Local.Identity.ToString(), hostname));
            ResolvedHost resolved = await HostResolver.ResolveAsync(_home.Context, hop, hostname, _home.Loop.TimeLeft(deadlineMilliseconds), _connector.Cancellation);
            if (_abandoned)
                return HopResult.Failed(ConnectionOutcome.Drained);
            if (resolved.Address is not { } address)
                return HopResult.Failed(new ConnectionOutcome(EndReason.NoRoute, resolved.Error));
            Hop = hop = hop.At(address);
        }

        Claim(hop.Workload);
        HopResult result = await _connector.ConnectAsync(hop, deadlineMilliseconds);
        if (hop.Workload is not { } tried || _abandoned)
            return result;

        if (result.Succeeded)
        {
            _home.Proxy.Endpoints.Succeeded(tried);
            return result;
        }

        if (result.IsEndpointAtFault && (repeated || !result.IsWorthAnotherAttempt))
            _home.Proxy.Endpoints.Failed(tried);
        Release();
        return result;
    }

    // Counted from the attempt to the end of the connection, so that the choice among endpoints sees what each of them has to do.
    private void Claim(Workload? endpoint)
    {
        Endpoint = endpoint;
        if (endpoint is not null)
            _home.Proxy.Endpoints.Started(endpoint);
    }

    /// <summary>The connection to <see cref="Endpoint"/> is over.</summary>
    public void Release()
    {
        if (Endpoint is { } endpoint)
            _home.Proxy.Endpoints.Ended(endpoint);
        Endpoint = null;
    }
}
