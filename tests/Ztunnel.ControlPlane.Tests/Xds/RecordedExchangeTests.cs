using System.Net;
using Ztunnel.ControlPlane.Xds;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;
using Ztunnel.Protos.Discovery;

namespace Ztunnel.ControlPlane.Tests.Xds;

/// <summary>What a real istiod sent, and what the original answered and held afterwards.</summary>
public sealed class RecordedExchangeTests
{
    private static readonly NamespacedName Cart = new("shop", "cart.shop.svc.cluster.local");

    [Theory]
    [InlineData(1)]
    [InlineData(30)]
    public void FirstConnection_Replayed_HoldsWhatTheOriginalDumped(int step)
    {
        RecordedExchange exchange = new(onDemand: false);
        Assert.False(exchange.Store.FirstSync.IsCompleted);

        exchange.Play(RecordedExchange.Step(step));

        exchange.Store.Current.AssertHolds(RecordedDump.Read(RecordedExchange.Step(step)));
        Assert.True(exchange.Store.FirstSync.IsCompletedSuccessfully);
    }

    [Fact]
    public void Steps_Replayed_AnswerAsTheOriginalDidAndFollowTheMesh()
    {
        RecordedExchange exchange = new(onDemand: false);
        MeshSnapshot Mesh() => exchange.Store.Current;
        exchange.Play(RecordedExchange.Step(1));

        exchange.Play(RecordedExchange.Step(2));
        Assert.NotNull(Mesh().FindWorkloadByUid("Kubernetes//Pod/shop/cart-3"));

        Assert.Equal(HealthStatus.Unhealthy, Mesh().FindWorkloadByUid("Kubernetes//Pod/shop/cart-2")!.Status);
        exchange.Play(RecordedExchange.Step(3));
        Assert.Equal(HealthStatus.Healthy, Mesh().FindWorkloadByUid("Kubernetes//Pod/shop/cart-2")!.Status);

        exchange.Play(RecordedExchange.Step(4));
        Assert.Null(Mesh().FindWorkloadByUid("Kubernetes//Pod/shop/cart-3"));

        int policies = Mesh().PolicyCount;
        exchange.Play(RecordedExchange.Step(5));
        Assert.Equal(policies + 2, Mesh().PolicyCount);
        exchange.Play(RecordedExchange.Step(6));
        Assert.Equal(policies + 2, Mesh().PolicyCount);
        exchange.Play(RecordedExchange.Step(7));
        Assert.Equal(policies, Mesh().PolicyCount);

        string vip = Mesh().FindService(Cart)!.Vips[0].ToString();
        exchange.Play(RecordedExchange.Step(8));
        Assert.NotEqual(vip, Mesh().FindService(Cart)!.Vips[0].ToString());

        int services = Mesh().ServiceCount;
        exchange.Play(RecordedExchange.Step(9));
        Assert.Equal(services + 1, Mesh().ServiceCount);
        exchange.Play(RecordedExchange.Step(10));
        Assert.Equal(services, Mesh().ServiceCount);

        Assert.Contains(Mesh().Workloads, static w => w.Namespace == "pay" && w.Waypoint is not null);
        exchange.Play(RecordedExchange.Step(11));
        Assert.DoesNotContain(Mesh().Workloads, static w => w.Namespace == "pay" && w.Waypoint is not null);

        Assert.NotNull(Mesh().FindWorkloadByUid("Kubernetes//Pod/legacy/batch-1"));
        exchange.Play(RecordedExchange.Step(12));
        Assert.Null(Mesh().FindWorkloadByUid("Kubernetes//Pod/legacy/batch-1"));
        Workload cart4 = Mesh().FindWorkloadByUid("Kubernetes//Pod/shop/cart-4")!;

        exchange.Play(RecordedExchange.Step(13));
        Assert.Equal(cart4, Mesh().FindWorkloadByUid("Kubernetes//Pod/shop/cart-4"));

        exchange.Play(RecordedExchange.Step(14));
        Assert.NotEqual(cart4, Mesh().FindWorkloadByUid("Kubernetes//Pod/shop/cart-4"));
    }

    [Fact]
    public void UnchangedResources_SentAgain_PublishNothing()
    {
        RecordedExchange exchange = new(onDemand: false);
        exchange.Play(RecordedExchange.Step(1));
        MeshSnapshot before = exchange.Store.Current;

        exchange.Protocol.OnResponse(RecordedExchange.Response("01-initial-wildcard/004-xds-response-address"));
        exchange.Protocol.OnResponse(RecordedExchange.Response("01-initial-wildcard/005-xds-response-authorization"));

        Assert.Same(before, exchange.Store.Current);
    }

    [Fact]
    public async Task OnDemand_Replayed_AsksOnceForEachNameAndRemembersWhatIsNotThere()
    {
        RecordedExchange exchange = new(onDemand: true);
        exchange.Play(RecordedExchange.Step(20));
        Assert.True(exchange.Store.FirstSync.IsCompletedSuccessfully);

        // 21: a service by its VIP comes under its own name.
        Task<OnDemandOutcome> byVip = Ask(exchange, "/10.96.0.30", RecordedExchange.Request("21-on-demand-service-by-vip/001-xds-request-address"));
        exchange.Protocol.OnResponse(RecordedExchange.Response("21-on-demand-service-by-vip/002-xds-response-address"));
        Assert.Equal(OnDemandOutcome.Found, await byVip);
        Assert.NotNull(exchange.Store.Current.FindService("", IPAddress.Parse("10.96.0.30"), null));

        // 22: a pod by its address comes under its uid.
        Task<OnDemandOutcome> byIp = Ask(exchange, "/10.10.2.12", RecordedExchange.Request("22-on-demand-pod-by-ip/001-xds-request-address"));
        exchange.Protocol.OnResponse(RecordedExchange.Response("22-on-demand-pod-by-ip/002-xds-response-address"));
        Assert.Equal(OnDemandOutcome.Found, await byIp);
        Assert.NotNull(exchange.Store.Current.FindWorkload("", IPAddress.Parse("10.10.2.12")));

        // 23: nobody has this address. The original asks a second time and never hears of it; ours knows.
        Task<OnDemandOutcome> unknown = Ask(exchange, "/10.99.9.9", RecordedExchange.Request("23-on-demand-unknown-address/001-xds-request-address"));
        exchange.Protocol.OnResponse(RecordedExchange.Response("23-on-demand-unknown-address/002-xds-response-address"));
        Assert.Equal(OnDemandOutcome.Absent, await unknown);
        Assert.False(exchange.Protocol.Names.TryBegin("/10.99.9.9", out Task<OnDemandOutcome>? again));
        Assert.Equal(OnDemandOutcome.Absent, await again!);
        Assert.Empty(exchange.Protocol.Ask(["/10.99.9.9"]));

        exchange.Play(RecordedExchange.Step(24));
        Assert.NotNull(exchange.Store.Current.FindWorkloadByUid("Kubernetes//Pod/shop/front-2"));

        exchange.Play(RecordedExchange.Step(25));
        Assert.NotNull(exchange.Store.Current.FindService("", IPAddress.Parse("10.96.0.30"), null));
    }

    private static Task<OnDemandOutcome> Ask(RecordedExchange exchange, string name, DeltaDiscoveryRequest recorded)
    {
        Assert.True(exchange.Protocol.Names.TryBegin(name, out Task<OnDemandOutcome>? answer));
        Assert.Equal([recorded], exchange.Protocol.Ask([name]));
        return answer!;
    }
}
