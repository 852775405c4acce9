using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Inbound;
using Ztunnel.Proxy.Relay;
using Ztunnel.Proxy.Telemetry;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy.Passthrough;

/// <summary>
/// One plain-text connection to the pod (data-path 4): authorized without an identity, then relayed to the address it was sent to. Whether plain text is allowed at all is a matter of policy
/// (STRICT arrives as a policy that denies connections without a principal).
/// </summary>
internal sealed class PassthroughConnection : InboundConnection, ISocketRelayOwner
{
    private readonly OriginalDestination _destination;
    private readonly bool _spoofsSource;
    private LoopSocket? _client;
    private SocketRelay? _relay;
    private ConnectionRecord? _record;

    public PassthroughConnection(WorkloadLoop home, LoopSocket client, OriginalDestination destination, bool spoofsSource)
        : base(home, client.RemoteEndPoint, destination.EndPoint)
    {
        _client = client;
        _destination = destination;
        _spoofsSource = spoofsSource;
    }

    protected override PolicyConnection PolicyInput => new(SourceIdentity: null, Source.Address, _destination.EndPoint);

    protected override (long MovedBytes, bool IsHalfClosed) Progress =>
        _relay is { } relay ? (_record!.MovedBytes, relay.IsHalfClosed) : (Home.Loop.NowMilliseconds, false);

    public void Start() => _ = RunAsync();

    public override ConnectionEntry Describe() => new(IsInbound: true, Source, OriginalDestination: null, OriginalDestination, "TCP");

    public override void Abort(ConnectionOutcome outcome)
    {
        if (_relay is { } relay)
            relay.Abort(outcome);
        else
            End(outcome);
    }

    void ISocketRelayOwner.OnTransferred(int toUpstream, int toDownstream)
    {
        _record!.AddReceived(toUpstream);
        _record.AddSent(toDownstream);
    }

    void ISocketRelayOwner.OnEnded(ConnectionOutcome outcome) => End(outcome);

    private async Task RunAsync()
    {
        try
        {
            await SetUpAsync();
        }
        catch (Exception exception) // whatever goes wrong in one connection ends that connection only
        {
            ProxyLog.Unexpected(Home.Context.PassthroughLog, exception);
            End(new ConnectionOutcome(EndReason.ResourceExhausted, $"io error: {exception.Message}"));
        }
    }

    private async ValueTask SetUpAsync()
    {
        // Phase 1: refuse what would come back to us, and find out who we are.
        if (Home.Context.Routing.IsIllegalPort(_destination.EndPoint.Port))
        {
            End(new ConnectionOutcome(EndReason.RecursiveCall, "attempted recursive call to ourselves"));
            return;
        }

        if (await Home.Workload.WaitAsync() is not { } local)
        {
            End(new ConnectionOutcome(EndReason.LocalWorkloadUnknown, Home.Workload.UnknownToCallersText));
            return;
        }

        // Phase 2: authorize.
        OpenBooks(local);
        PolicyDecision decision = await AuthorizeAsync(local);
        if (HasEnded)
            return;
        if (!decision.Allowed)
        {
            End(InboundAuthorizer.Describe(decision));
            return;
        }

        // Phase 3: connect as the client, and relay.
        ConnectResult connected = await ApplicationConnector.ConnectAsync(Home, _destination.EndPoint, _spoofsSource ? Source.Address : null);
        if (connected.Socket is not { } application)
        {
            End(ApplicationConnector.Describe(connected));
            return;
        }

        if (HasEnded)
        {
            application.Dispose();
            return;
        }

        LoopSocket client = _client!;
        _client = null;
        _relay = SocketRelay.Start(client, application, this);
    }

    private void OpenBooks(Workload local)
    {
        MeshSnapshot mesh = Home.Context.Mesh.Current;
        Workload? source = mesh.FindWorkload(Home.Context.Settings.Network, Source.Address);
        Service? service = InboundRouter.GuessService(mesh, InboundRouter.ServicesOf(mesh, local), local, forwardedHost: null, _destination.EndPoint.Port);
        _record = new ConnectionRecord(Home, new ConnectionDescription
        {
            Labels = new TrafficLabels(
                Reporter.Destination, ConnectionLabels.Of(source), sourcePrincipal: null,
                ConnectionLabels.Of(local), local.Identity.ToString(), ConnectionLabels.Of(service), mutualTls: false),
            Source = Source,
            SourceWorkload = source,
            Destination = _destination.EndPoint,
            DestinationWorkload = local,
            StartMilliseconds = StartMilliseconds,
        });
    }

    private void End(in ConnectionOutcome outcome)
    {
        if (HasEnded)
            return;

        HasEnded = true;
        if (_record is { } record)
            record.Close(outcome);
        else
            Refusal.Record(Home.Proxy, Reporter.Destination, Source, OriginalDestination, outcome);

        // A refusal is a reset (istio-integration 2.7, S13); a client that was handed to the relay is closed by it.
        _client?.CloseWithReset();
        Home.Context.Traffic.SocketClosed(Home.Loop.Index, Reporter.Destination);
        Untrack();
    }
}
