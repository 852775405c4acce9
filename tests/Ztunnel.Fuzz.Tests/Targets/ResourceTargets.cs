using System.Net;
using Google.Protobuf;
using Ztunnel.ControlPlane.Xds;
using Ztunnel.ControlPlane.Xds.Translation;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using Wire = Ztunnel.Protos;

namespace Ztunnel.Fuzz.Tests.Targets;

/// <summary>Resources of the control plane: whatever they hold, each is translated or rejected with words, and what was translated can be stored and asked for.</summary>
public sealed class ResourceTargets
{
    private static readonly PolicyConnection Connection = new(SpiffeId.Parse("spiffe://td/ns/a/sa/b"), IPAddress.Parse("10.0.0.1"), new IPEndPoint(IPAddress.Parse("10.0.0.2"), 80));

    private static readonly RoutingContext Context = new();

    [Fact]
    public void Message_FilledAtRandom_IsTranslatedOrRejected() => FuzzRun.Cases("resources", 1500, static input =>
    {
        var store = new MeshStore("node");
        for (int pushes = 1 + input.Below(3); pushes > 0; pushes--)
        {
            var update = new MeshUpdate();
            for (int resources = input.Below(6); resources > 0; resources--)
                Translate(input, update);
            store.Apply(update);
            Ask(store.Current, input);
        }
    });

    [Fact]
    public void Message_DamagedOnTheWire_IsReadOrRefused() => FuzzRun.Cases("resource bytes", 2500, static input =>
    {
        var store = new MeshStore("node");
        var update = new MeshUpdate();
        switch (input.Below(3))
        {
            case 0: TryAdd(update.Workloads, () => WorkloadTranslator.Translate(Decode(Wire.Workloads.Workload.Parser, input.Damage(MessageMaker.Make<Wire.Workloads.Workload>(input).ToByteArray())))); break;
            case 1: TryAdd(update.Services, () => ServiceTranslator.Translate(Decode(Wire.Workloads.Service.Parser, input.Damage(MessageMaker.Make<Wire.Workloads.Service>(input).ToByteArray())))); break;
            default: TryAdd(update.Policies, () => PolicyTranslator.Translate(Decode(Wire.Security.Authorization.Parser, input.Damage(MessageMaker.Make<Wire.Security.Authorization>(input).ToByteArray())), out _)); break;
        }

        store.Apply(update);
        Ask(store.Current, input);
    });

    private static void Translate(FuzzInput input, MeshUpdate update)
    {
        switch (input.Below(4))
        {
            case 0: TryAdd(update.Services, () => ServiceTranslator.Translate(MessageMaker.Make<Wire.Workloads.Service>(input))); break;
            case 1: TryAdd(update.Policies, () => PolicyTranslator.Translate(MessageMaker.Make<Wire.Security.Authorization>(input), out _)); break;
            case 2: update.RemovedAddresses.Add(input.Text()); break;
            default: TryAdd(update.Workloads, () => WorkloadTranslator.Translate(MessageMaker.Make<Wire.Workloads.Workload>(input))); break;
        }
    }

    private static T Decode<T>(MessageParser<T> parser, byte[] bytes)
        where T : IMessage<T> => ResourceDecoder.Decode(parser, ByteString.CopyFrom(bytes));

    private static void TryAdd<T>(List<T> list, Func<T> translate)
    {
        try
        {
            list.Add(translate());
        }
        catch (RejectedResourceException rejected)
        {
            Assert.NotEqual("", rejected.Message);
        }
    }

    /// <summary>What the data path asks of a snapshot has an answer for every workload in it, as a source and as a destination.</summary>
    private static void Ask(MeshSnapshot mesh, FuzzInput input)
    {
        IPAddress[] targets = [.. mesh.Services.SelectMany(static service => service.Vips).Select(static vip => vip.Address).Append(Connection.Destination.Address).Take(4)];
        foreach (Workload workload in mesh.Workloads)
        {
            PolicyDecision decision = PolicyEvaluator.Evaluate(mesh, workload, Connection, new PolicySettings());
            Assert.Equal(decision.Allowed, decision.Reason.Length == 0);
            Assert.Same(workload, mesh.FindWorkloadByUid(workload.Uid));
            foreach (IPAddress target in targets)
                Assert.NotNull(OutboundRouter.Route(mesh, Context, workload, Connection.Source, new OriginalDestination(new IPEndPoint(target, 80)), input, NoLoad.Instance));
        }
    }
}
