using System.Net;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Propagation;
using Ztunnel.Mesh.Routing;
using static Ztunnel.Mesh.Tests.Meshes;

namespace Ztunnel.Mesh.Tests.Propagation;

/// <summary>The headers of a CONNECT: data-path 2.8 and 3.2.</summary>
public sealed class PropagationTests
{
    [Theory]
    [InlineData("127.0.0.1:80", null, "for=\"127.0.0.1:80\"")]
    [InlineData("127.0.0.1:80", "example.com", "for=\"127.0.0.1:80\";host=example.com")]
    [InlineData("[::1]:80", null, "for=\"[::1]:80\"")]
    [InlineData("[::1]:80", "a.b", "for=\"[::1]:80\";host=a.b")]
    public void BuildForwarded_ClientAndHost(string client, string? host, string expected) => Assert.Equal(expected, ForwardedHeader.Build(At(client), host));

    [Theory]
    [InlineData("for=\"127.0.0.1:80\";host=example.com", "example.com")]
    [InlineData("for=1.2.3.4; host=\"b.default.svc\" ;by=x", "b.default.svc")]
    [InlineData(";;host=\"b.default.svc.cluster.local\"", "b.default.svc.cluster.local")]
    [InlineData("host=first;host=second", "first")]
    [InlineData("Host=example.com", "example.com")]                       // parameter names have no case (RFC 7239 4)
    [InlineData("for=a, for=b;host=c", "c")]
    [InlineData("host=a, for=b", "a")]
    [InlineData("for=\"x;host=no\";host=yes", "yes")]                     // quotes hide separators
    [InlineData("host=\"", null)]
    [InlineData("host=", null)]
    [InlineData("for=a", null)]
    [InlineData("xhost=a", null)]
    [InlineData("", null)]
    [InlineData(null, null)]
    [InlineData("host=é", null)]
    public void ParseForwardedHost_FirstHostParameter(string? value, string? expected) => Assert.Equal(expected, ForwardedHeader.ParseHost(value));

    [Fact]
    public void BuildBaggage_FullWorkload_HasEveryPairInOrder()
    {
        Workload workload = Pod("client-1", "10.0.1.5") with { Locality = new Locality("eu", "eu-1") };
        workload = workload.With(static traits => traits with { WorkloadName = "client", CanonicalName = "client", CanonicalRevision = "v1" });

        Assert.Equal(
            "k8s.cluster.name=Kubernetes,k8s.namespace.name=default,k8s.deployment.name=client,service.name=client,service.version=v1,cloud.region=eu,cloud.availability_zone=eu-1",
            BaggageHeader.For(workload));
        Assert.Same(BaggageHeader.For(workload), BaggageHeader.For(workload));
    }

    [Theory]
    [InlineData("CRONJOB", "k8s.cronjob.name=w")]
    [InlineData("pod", "k8s.pod.name=w")]
    [InlineData("", "k8s.deployment.name=w")]
    public void BuildBaggage_Type_NamesTheKey(string type, string expected)
    {
        Workload workload = Pod("w", @namespace: "").With(traits => traits with { ClusterId = "", WorkloadType = type });

        Assert.Equal(expected, BaggageHeader.For(workload));
    }

    [Fact]
    public void BuildBaggage_NothingKnown_IsEmpty() =>
        Assert.Equal("", BaggageHeader.For(Pod("", @namespace: "").With(static traits => traits with { ClusterId = "" })));

    [Fact]
    public void ParseBaggage_WhatWasBuilt_IsReadBack()
    {
        Baggage baggage = Baggage.Parse("k8s.cluster.name=c,k8s.namespace.name=n,k8s.job.name=j,service.name=s,service.version=v,cloud.region=r,cloud.availability_zone=z");

        Assert.Equal(
            new Baggage { ClusterId = "c", Namespace = "n", WorkloadName = "j", WorkloadType = "job", CanonicalName = "s", CanonicalRevision = "v", Region = "r", Zone = "z" },
            baggage);
    }

    [Theory]
    [InlineData("k8s.deployment.name=w", "w")]
    [InlineData("k8s.cronjob.name=w", "w")]
    [InlineData("k8s.pod.name=w", "w")]
    [InlineData("k8s.job.name=w", "w")]
    [InlineData("k8s.pod.name=a,k8s.job.name=b", "b")]          // the last one wins
    [InlineData("k8s.pod.name=a,k8s.job.name=", null)]          // also when it is empty
    [InlineData("k8s.pod.name=a=b=c", "a")]                     // only the first two pieces
    [InlineData(" k8s.pod.name=a", null)]                       // nothing is trimmed
    [InlineData("k8s.pod.name= a", " a")]
    [InlineData("k8s.pod.name", null)]
    [InlineData("unknown=x,,=,k8s.pod.name=a", "a")]
    [InlineData("", null)]
    [InlineData("k8s.pod.name=ä", null)]
    public void ParseBaggage_WorkloadName(string value, string? expected) => Assert.Equal(expected, Baggage.Parse(value).WorkloadName);

    [Fact]
    public void ParseBaggage_SeveralLines_AreOneList()
    {
        Assert.Equal(new Baggage { Namespace = "n", CanonicalName = "b" }, Baggage.Parse("service.name=a,k8s.namespace.name=n", "service.name=b"));
        Assert.Equal(Baggage.Empty, Baggage.Parse("service.name=a", "service.name=\u0001"));   // one bad line makes all of it absent
        Assert.Equal(Baggage.Empty, Baggage.Parse());
    }

    [Fact]
    public void TraceParent_Created_IsReadBack()
    {
        TraceParent created = TraceParent.Create(SystemRandom.Instance);
        string text = created.ToString();

        Assert.Matches("^00-[0-9a-f]{32}-[0-9a-f]{16}-00$", text);
        Assert.True(TraceParent.TryParse(text, out TraceParent parsed));
        Assert.Equal(created, parsed);
        Assert.Equal(text[3..35], parsed.TraceIdText);
        Assert.NotEqual(created, TraceParent.Create(SystemRandom.Instance));
    }

    [Theory]
    [InlineData("00-0123456789abcdef0123456789abcdef-0123456789abcdef-01", true)]
    [InlineData("ff-0123456789ABCDEF0123456789ABCDEF-0123456789ABCDEF-00", true)]
    [InlineData("zz", false)]
    [InlineData("", false)]
    [InlineData("00-0123456789abcdef0123456789abcdef-0123456789abcdef-0", false)]
    [InlineData("00-0123456789abcdef0123456789abcdef-0123456789abcdef-011", false)]
    [InlineData("00-0123456789abcdef0123456789abcdeg-0123456789abcdef-01", false)]
    [InlineData("00_0123456789abcdef0123456789abcdef-0123456789abcdef-01", false)]
    [InlineData("00-+123456789abcdef0123456789abcdef-0123456789abcdef-01", false)]
    public void ParseTraceParent_WellFormedOnly(string text, bool expected) => Assert.Equal(expected, TraceParent.TryParse(text, out _));

    [Fact]
    public void ChooseResolved_PrefersTheFamilyAskedFor()
    {
        IPAddress[] both = [IPAddress.Parse("10.0.0.1"), IPAddress.Parse("fd00::1")];
        var context = new RoutingContext();

        Assert.Equal(both[1], ResolvedAddress.Choose(both, System.Net.Sockets.AddressFamily.InterNetworkV6, context, new Sequence()));
        Assert.Equal(both[0], ResolvedAddress.Choose(both, System.Net.Sockets.AddressFamily.InterNetwork, context, new Sequence()));
        Assert.Equal(both[1], ResolvedAddress.Choose(both[1..], System.Net.Sockets.AddressFamily.InterNetwork, context, new Sequence()));
        Assert.Null(ResolvedAddress.Choose(both[1..], System.Net.Sockets.AddressFamily.InterNetwork, context with { IPv6Enabled = false }, new Sequence()));
    }
}
