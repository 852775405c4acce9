using Google.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;
using Ztunnel.ControlPlane.Grpc;
using Ztunnel.Istiod.Server;
using Ztunnel.Protos.Discovery;

namespace Ztunnel.ControlPlane.Tests.Grpc;

public sealed class GrpcDuplexCallTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);
    private static readonly GrpcMethod<DeltaDiscoveryRequest, DeltaDiscoveryResponse> Duplex = new("test.Service", "Duplex", DeltaDiscoveryResponse.Parser);

    private readonly CancellationTokenSource _limit = new(Limit);

    public void Dispose() => _limit.Dispose();

    [Fact]
    public async Task MessagesBothWays_FlowBeforeEitherSideEnds()
    {
        await using GrpcServer server = await GrpcServer.StartAsync(async call =>
        {
            while (await call.ReadAsync(DeltaDiscoveryRequest.Parser) is { } request) await call.WriteAsync(new DeltaDiscoveryResponse { Nonce = request.ResponseNonce + "!" });
            call.End(0);
        });
        using GrpcChannel channel = Channel(server);
        await using GrpcDuplexCall<DeltaDiscoveryRequest, DeltaDiscoveryResponse> call = await channel.OpenDuplexAsync(Duplex, _limit.Token);

        for (int i = 0; i < 3; i++)
        {
            await call.WriteAsync(new DeltaDiscoveryRequest { ResponseNonce = $"{i}" }, _limit.Token);
            Assert.Equal($"{i}!", (await call.ReadAsync(_limit.Token))!.Nonce);
        }
        call.CompleteWriting();

        Assert.Null(await call.ReadAsync(_limit.Token));
    }

    [Fact]
    public async Task LargeMessages_ArriveWhole()
    {
        byte[] large = new byte[40 * 1024 * 1024];
        new Random(1).NextBytes(large);
        await using GrpcServer server = await GrpcServer.StartAsync(async call =>
        {
            DeltaDiscoveryRequest request = (await call.ReadAsync(DeltaDiscoveryRequest.Parser))!;
            await call.WriteAsync(new DeltaDiscoveryResponse { Resources = { new Resource { Name = "a", Resource_ = new() { Value = ByteString.CopyFrom(large) } } } });
            await call.WriteAsync(new DeltaDiscoveryResponse { Nonce = $"{request.Node.Id.Length}" });
            call.End(0);
        });
        using GrpcChannel channel = Channel(server);
        await using GrpcDuplexCall<DeltaDiscoveryRequest, DeltaDiscoveryResponse> call = await channel.OpenDuplexAsync(Duplex, _limit.Token);

        await call.WriteAsync(new DeltaDiscoveryRequest { Node = new Node { Id = new string('x', 3_000_000) } }, _limit.Token);

        Assert.True((await call.ReadAsync(_limit.Token))!.Resources[0].Resource_.Value.Span.SequenceEqual(large));
        Assert.Equal("3000000", (await call.ReadAsync(_limit.Token))!.Nonce);
        Assert.Null(await call.ReadAsync(_limit.Token));
    }

    [Fact]
    public async Task MessageOverTheLimit_IsOutOfRangeByItsPrefix()
    {
        await using GrpcServer server = await GrpcServer.StartAsync(async call =>
        {
            await call.ReadAsync(DeltaDiscoveryRequest.Parser);
            await call.WriteRawAsync(0, 1001, new byte[10]);
            await call.ReadAsync(DeltaDiscoveryRequest.Parser);   // stays open until the client goes
        });
        using GrpcChannel channel = Channel(server, maxMessageBytes: 1000);
        await using GrpcDuplexCall<DeltaDiscoveryRequest, DeltaDiscoveryResponse> call = await channel.OpenDuplexAsync(Duplex, _limit.Token);
        await call.WriteAsync(new DeltaDiscoveryRequest(), _limit.Token);

        GrpcException error = await Assert.ThrowsAsync<GrpcException>(async () => await call.ReadAsync(_limit.Token));

        Assert.Equal(GrpcStatusCode.OutOfRange, error.Status.Code);
    }

    [Theory]
    [InlineData("truncated", GrpcStatusCode.Internal)]
    [InlineData("garbage", GrpcStatusCode.Internal)]
    [InlineData("compressed", GrpcStatusCode.Unimplemented)]
    [InlineData("aborted", GrpcStatusCode.Internal)]
    [InlineData("no status", GrpcStatusCode.Unknown)]
    [InlineData("refused", GrpcStatusCode.ResourceExhausted)]
    public async Task BrokenAnswer_EndsWithAStatus(string kind, GrpcStatusCode expected)
    {
        await using GrpcServer server = await GrpcServer.StartAsync(async call =>
        {
            await call.ReadAsync(DeltaDiscoveryRequest.Parser);
            await call.WriteAsync(new DeltaDiscoveryResponse());
            await call.ReadAsync(DeltaDiscoveryRequest.Parser);   // the client has the first answer
            if (kind == "truncated") await call.WriteRawAsync(0, 100, new byte[10]);
            if (kind == "garbage") await call.WriteRawAsync(0, 4, [0xff, 0xff, 0xff, 0xff]);
            if (kind == "compressed") await call.WriteRawAsync(1, 0, []);
            if (kind == "aborted") call.Http.Abort();
            else if (kind != "no status") call.End(kind == "refused" ? 8 : 0);
        });
        using GrpcChannel channel = Channel(server);
        await using GrpcDuplexCall<DeltaDiscoveryRequest, DeltaDiscoveryResponse> call = await channel.OpenDuplexAsync(Duplex, _limit.Token);
        await call.WriteAsync(new DeltaDiscoveryRequest(), _limit.Token);
        Assert.NotNull(await call.ReadAsync(_limit.Token));
        await call.WriteAsync(new DeltaDiscoveryRequest(), _limit.Token);

        GrpcException error = await Assert.ThrowsAsync<GrpcException>(async () => await call.ReadAsync(_limit.Token));

        Assert.Equal(expected, error.Status.Code);
    }

    [Fact]
    public async Task RefusedInHeaders_TellsWhoeverWaits()
    {
        await using GrpcServer server = await GrpcServer.StartAsync(call =>
        {
            call.End(8, "too many connections");
            return Task.CompletedTask;
        });
        using GrpcChannel channel = Channel(server);
        await using GrpcDuplexCall<DeltaDiscoveryRequest, DeltaDiscoveryResponse> call = await channel.OpenDuplexAsync(Duplex, _limit.Token);

        GrpcException error = await Assert.ThrowsAsync<GrpcException>(() => call.WaitForHeadersAsync(_limit.Token));

        Assert.Equal(new GrpcStatus(GrpcStatusCode.ResourceExhausted, "too many connections"), error.Status);
    }

    [Fact]
    public async Task Disposed_EndsTheCallAtTheServer()
    {
        TaskCompletionSource aborted = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using GrpcServer server = await GrpcServer.StartAsync(async call =>
        {
            call.Aborted.Register(aborted.SetResult);
            await call.ReadAsync(DeltaDiscoveryRequest.Parser);
            await call.WriteAsync(new DeltaDiscoveryResponse());
            await aborted.Task;
        });
        using GrpcChannel channel = Channel(server);
        GrpcDuplexCall<DeltaDiscoveryRequest, DeltaDiscoveryResponse> call = await channel.OpenDuplexAsync(Duplex, _limit.Token);
        await call.WriteAsync(new DeltaDiscoveryRequest(), _limit.Token);
        await call.ReadAsync(_limit.Token);

        await call.DisposeAsync();

        await aborted.Task.WaitAsync(Limit);
    }

    private static GrpcChannel Channel(GrpcServer server, int maxMessageBytes = 200 * 1024 * 1024) => new(
        new GrpcChannelSettings { Address = server.Address, Roots = TrustRoots.Parse(server.Certificates.RootPem), MaxMessageBytes = maxMessageBytes },
        TimeProvider.System, NullLogger.Instance);
}
