using System.Net;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Ztunnel.Commands;
using Ztunnel.Http;
using Ztunnel.Http.Explain;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy.Connections;
using Ztunnel.Telemetry.Failures;
using Ztunnel.Telemetry.Logging;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Tls.Certificates;

namespace Ztunnel.Tests.Http;

/// <summary><c>/debug/explain</c> over HTTP and through the command that asks it.</summary>
public sealed class ExplainPageTests : IAsyncLifetime
{
    private static readonly SpiffeId Client = new("cluster.local", "default", "client");

    private readonly MeshStore _mesh = new("node-1");
    private readonly FailureJournal _failures = new();
    private readonly List<CertificateStatus> _certificates = [];
    private readonly HttpClient _client = new() { Timeout = TimeSpan.FromSeconds(10) };
    private readonly int _port = Ports.Free();
    private HttpServer _server = null!;

    private string Admin => $"http://127.0.0.1:{_port}";

    public async Task InitializeAsync()
    {
        _mesh.Apply(new MeshUpdate
        {
            Workloads =
            {
                Pod("client", "10.0.1.5", Client),
                Pod("server", "10.0.2.7", new SpiffeId("cluster.local", "default", "server")),
            },
            Policies =
            {
                new Policy
                {
                    Name = "only-front", Namespace = "default", Scope = PolicyScope.Namespace,
                    Rules = [new PolicyRule([new PolicyClause([new PolicyMatch { Principals = [StringMatch.Exact("cluster.local/ns/default/sa/front")] }])])],
                },
            },
        });
        var page = new ExplainPage(new ExplainContext(_mesh, new RoutingContext(), PolicySettings.Default, static () => Task.FromResult<ILoadView>(NoLoad.Instance), () => _certificates, _failures, TimeProvider.System));
        var admin = new AdminPort([new IPEndPoint(IPAddress.Loopback, _port)], new LogLevels(LogFilter.Default), static () => { }, new NoDump(), [page], NullLoggerFactory.Instance);
        _server = new HttpServer([admin], NullLoggerFactory.Instance);
        await _server.StartAsync(CancellationToken.None);
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Text_DeniedConnection_SaysWhichRuleWouldHaveAllowedIt()
    {
        using HttpResponseMessage answer = await _client.GetAsync($"{Admin}/debug/explain?source=default/client&destination=10.0.2.7:8080");

        string text = await answer.Content.ReadAsStringAsync();
        Assert.Equal("false", Assert.Single(answer.Headers.GetValues("ztunnel-delivered")));
        Assert.StartsWith("default/client (10.0.1.5) -> 10.0.2.7:8080\nwould NOT be delivered: denied by policy: allow policies exist, but none allowed\n", text, StringComparison.Ordinal);
        Assert.Contains("  1. HBONE to 10.0.2.7:15008, workload cluster//Pod/default/server\n     CONNECT 10.0.2.7:8080\n", text, StringComparison.Ordinal);
        Assert.Contains("source.principals: expected cluster.local/ns/default/sa/front, found cluster.local/ns/default/sa/client\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Json_HoldsEverythingTheTextTells()
    {
        _failures.Add(new ConnectionFailure
        {
            Time = DateTimeOffset.UnixEpoch,
            Reporter = Reporter.Source,
            Source = IPEndPoint.Parse("10.0.1.5:40000"),
            Destination = IPEndPoint.Parse("10.0.2.7:15008"),
            HboneAuthority = "10.0.2.7:8080",
            Reason = EndReasons.Describe(EndReason.TunnelConnectTimedOut).Code,
            Error = "connection timed out",
        });
        _failures.Add(new ConnectionFailure { Time = DateTimeOffset.UnixEpoch, Reporter = Reporter.Source, Source = IPEndPoint.Parse("10.0.1.6:1"), Reason = "no_route", Error = "of somebody else" });
        _certificates.Add(new CertificateStatus(Client, CertificateState.Unavailable, null, "the authority is away", null));

        JsonElement report = JsonDocument.Parse(await _client.GetStringAsync($"{Admin}/debug/explain?source=default/client&destination=default/server:8080&format=json")).RootElement;

        Assert.False(report.GetProperty("verdict").GetProperty("delivered").GetBoolean());
        Assert.Equal($"no certificate for {Client}: the authority is away", report.GetProperty("verdict").GetProperty("reason").GetString());
        Assert.Equal("HBONE", report.GetProperty("route").GetProperty("kind").GetString());
        Assert.Equal("10.0.2.7:15008", report.GetProperty("hops")[0].GetProperty("address").GetString());
        JsonElement policy = report.GetProperty("authorization").GetProperty("policies")[0];
        Assert.Equal("source.principals", policy.GetProperty("nearestRule").GetProperty("missing")[0].GetProperty("field").GetString());
        JsonElement failure = Assert.Single(report.GetProperty("failures").EnumerateArray());
        Assert.Equal(EndReasons.Describe(EndReason.TunnelConnectTimedOut).Advice, failure.GetProperty("check").GetString());
    }

    [Theory]
    [InlineData("source=default/nobody&destination=10.0.0.1:80", "source: no workload is known as \"default/nobody\"")]
    [InlineData("source=default/client", "destination: \"\" has no port")]
    [InlineData("source=default/client&destination=10.0.0.1:80&format=xml", "format: \"xml\" is not known; expected text or json")]
    public async Task Mistakes_AreNamed(string query, string expected)
    {
        using HttpResponseMessage answer = await _client.GetAsync($"{Admin}/debug/explain?{query}");

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.StartsWith(expected, await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, "--source", "default/client", "--destination", "192.0.2.1:80")]
    [InlineData(2, "--source", "default/client", "--destination", "10.0.2.7:80", "--json")]
    [InlineData(1, "--source", "default/nobody", "--destination", "10.0.2.7:80")]
    [InlineData(1, "--destination", "10.0.2.7:80", "--admin", "http://127.0.0.1:1")]
    [InlineData(1, "--destination", "10.0.2.7:80", "--admin", "localhost")]
    public async Task Command_ExitCodeIsTheVerdict(int expected, params string[] arguments)
    {
        string[] admin = arguments.Contains("--admin") ? [] : ["--admin", Admin];
        Assert.Equal(expected, await CommandLine.RunAsync(["explain", .. arguments, .. admin]));
    }

    private static Workload Pod(string name, string address, SpiffeId identity) => new()
    {
        Uid = $"cluster//Pod/default/{name}",
        Name = name,
        Node = "node-1",
        Addresses = IpAddresses.Create(IPAddress.Parse(address)),
        Traits = new WorkloadTraits { Identity = identity, Protocol = TunnelProtocol.Hbone },
    };

    private sealed class NoDump : IConfigDump
    {
        public Task AnswerAsync(Microsoft.AspNetCore.Http.HttpContext context) => Task.CompletedTask;
    }
}
