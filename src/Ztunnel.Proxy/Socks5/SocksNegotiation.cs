using System.Net;
using System.Net.Sockets;
using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Outbound;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy.Socks5;

/// <summary>
/// A client of port 15080 until it has said where it wants to go (data-path 1.8); then it is an outbound connection like any captured one. The client hears of success when the other side has answered,
/// not before.
/// </summary>
internal sealed class SocksNegotiation(WorkloadLoop home, LoopSocket client) : TrackedConnection(client.RemoteEndPoint, client.LocalEndPoint)
{
    private readonly long _deadline = home.Loop.NowMilliseconds + (long)home.Context.Settings.SetUp.Handshake.TotalMilliseconds;

    private bool _ended;

    protected override ConnectionTable Table => home.Connections;

    // The deadline ends it, not the lack of bytes.
    protected override (long MovedBytes, bool IsHalfClosed) Progress => (home.Loop.NowMilliseconds, false);

    private TimeSpan Left => home.Loop.TimeLeft(_deadline);

    public void Start()
    {
        Track();
        _ = RunAsync();
    }

    public override ConnectionEntry Describe() => new(IsInbound: false, Source, OriginalDestination: null, ActualDestination: OriginalDestination, "TCP");

    public override void Abort(ConnectionOutcome outcome)
    {
        client.CloseWithReset();
        Leave();
    }

    private async Task RunAsync()
    {
        NativeBuffer buffer = home.Loop.Buffers.Rent(SocksProtocol.LongestPartBytes + SocksProtocol.RequestBytes);
        try
        {
            if (await NegotiateAsync(buffer) is { } destination)
                HandOver(new OriginalDestination(destination));
        }
        catch (Exception exception) // whatever goes wrong in one connection ends that connection only
        {
            ProxyLog.Unexpected(home.Context.SocksLog, exception);
            Leave();
        }
        finally
        {
            home.Loop.Buffers.Return(buffer);
        }
    }

    private async ValueTask<IPEndPoint?> NegotiateAsync(NativeBuffer buffer)
    {
        if (!await ReadAsync(buffer, 0, SocksProtocol.GreetingBytes))
            return null;
        if (SocksProtocol.ReadGreeting(buffer.Span, out int methods) is { } badGreeting)
            return Refuse(SocksStatus.NotSupported, badGreeting);
        if (!await ReadAsync(buffer, 0, methods))
            return null;
        if (SocksProtocol.ReadMethods(buffer.Slice(0, methods)) is { } badMethods)
            return Refuse(SocksStatus.NotSupported, badMethods);

        client.Send(SocksProtocol.MethodChosen);
        if (!await ReadAsync(buffer, 0, SocksProtocol.RequestBytes))
            return null;
        if (SocksProtocol.ReadRequest(buffer.Span, out int rest) is { } badRequest)
            return Refuse(SocksStatus.NotSupported, badRequest);
        if (!await ReadAsync(buffer, SocksProtocol.RequestBytes, rest))
            return null;
        if (SocksProtocol.ReadTarget(buffer.Span, buffer.Slice(SocksProtocol.RequestBytes, rest), out SocksTarget target) is { } badTarget)
            return Refuse(SocksStatus.NotSupported, badTarget);

        IPAddress? address = target.Address ?? await ResolveAsync(target.Hostname!);
        if (_ended)
            return null;
        return address is null ? Refuse(SocksStatus.HostUnreachable, $"dns lookup: no address for {target.Hostname}") : new IPEndPoint(address, target.Port);
    }

    /// <summary>A service of the mesh by its name, or else what the node's resolver says.</summary>
    private async ValueTask<IPAddress?> ResolveAsync(string hostname)
    {
        MeshSnapshot mesh = home.Context.Mesh.Current;
        if (mesh.FindServiceByHostname(hostname.TrimEnd('.').ToLowerInvariant(), home.Workload.Find(mesh)?.Namespace) is { } service)
        {
            NetworkAddress[] own = [.. service.Vips.Where(vip => vip.Network == home.Context.Settings.Network)];
            if (own.Length > 0)
                return (Array.Find(own, static vip => vip.Address.AddressFamily == AddressFamily.InterNetwork) ?? own[0]).Address;
        }

        return await HostResolver.ResolveAsync(home.Context, hostname, AddressFamily.InterNetwork, Left, CancellationToken.None);
    }

    /// <summary>Reads exactly so many bytes: what follows belongs to somebody else.</summary>
    private async ValueTask<bool> ReadAsync(NativeBuffer buffer, int offset, int bytes)
    {
        // A read takes what it is offered, so the bytes are read to the end of the buffer and moved to where they are wanted.
        int at = buffer.Length - bytes;
        while (at < buffer.Length)
        {
            IoResult read = await client.ReceiveAsync(buffer, at, Left);
            if (_ended)
                return false;
            if (read.Status != IoStatus.Done)
            {
                ProxyLog.SocksFailed(home.Context.SocksLog, read.Status == IoStatus.EndOfStream ? "io error: early eof" : $"io error: {ErrnoText.Describe(read.Error)}");
                Leave();
                return false;
            }

            at += read.Bytes;
        }

        buffer.Slice(buffer.Length - bytes, bytes).CopyTo(buffer.Span[offset..]);
        return true;
    }

    private IPEndPoint? Refuse(SocksStatus status, string why)
    {
        ProxyLog.SocksFailed(home.Context.SocksLog, why);
        SocksReply.Send(client, status);
        Leave();
        return null;
    }

    private void HandOver(OriginalDestination destination)
    {
        // Both are tracked for a moment: a pod that drains waits until there is no connection, and this one is still there.
        new OutboundConnection(home, client, destination, OutboundCaller.Socks5).Start();
        _ended = true;
        Untrack();
    }

    private void Leave()
    {
        if (_ended)
            return;

        _ended = true;
        client.Dispose();
        home.Context.Traffic.SocketClosed(home.Loop.Index, Reporter.Source);
        Untrack();
    }
}
