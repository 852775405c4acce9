using System.Net;
using Ztunnel.Dns.Telemetry;
using Ztunnel.Linux;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.State;
using Ztunnel.Telemetry.Logging;

namespace Ztunnel.Dns.Serving;

/// <summary>
/// DNS capture of one pod: UDP and TCP on its loopback addresses (data-path 1.5, 7.1). Bound first and served later, so that a pod is captured completely or not at all.
/// </summary>
public sealed class DnsProxy : IAcceptHandler
{
    private readonly DnsLoop?[] _loops;
    private readonly List<(SocketHandle Handle, bool IsStream)> _bound = [];
    private readonly List<ListenerSocket> _listeners = [];
    private int _stopping;

    private DnsProxy(DnsContext context, LocalWorkloadKey workload, SocketFactory sockets)
    {
        Context = context;
        Workload = workload;
        Sockets = sockets;
        Span = sockets.Namespace is null ? null : new LogSpan("dns_proxy", new KeyValuePair<string, string>("wl", $"{workload.Namespace}/{workload.Name}"));
        _loops = new DnsLoop?[context.Loops.Loops.Count];
    }

    internal DnsContext Context { get; }

    internal LocalWorkloadKey Workload { get; }

    /// <summary>What its lines happened in; none in dedicated mode, where there is one workload only.</summary>
    internal LogSpan? Span { get; }

    /// <summary>Of the pod's namespace, marked, so that what goes to the resolvers is not captured again.</summary>
    internal SocketFactory Sockets { get; }

    /// <summary>Binds all ports of a pod; nothing is served before <see cref="Serve"/>.</summary>
    /// <exception cref="LinuxException">One cannot be bound; nothing is left open.</exception>
    public static DnsProxy Bind(DnsContext context, LocalWorkloadKey workload, SocketFactory sockets)
    {
        ArgumentNullException.ThrowIfNull(context);
        var proxy = new DnsProxy(context, workload, sockets);
        try
        {
            proxy.BindAll();
            return proxy;
        }
        catch
        {
            proxy.Abandon();
            throw;
        }
    }

    /// <summary>The addresses that were bound.</summary>
    public IReadOnlyList<IPEndPoint> EndPoints { get; private set; } = [];

    /// <summary>Answers from now on.</summary>
    public void Serve()
    {
        // One loop serves the datagrams of a pod; pods are spread over the loops. Connections go to any.
        EventLoop home = Context.Loops.Next();
        foreach ((SocketHandle handle, bool isStream) in _bound)
        {
            DnsLog.Serving(Context.ServerLog, handle.LocalEndPoint, isStream ? "dns tcp" : "dns udp");
            if (isStream)
                _listeners.Add(ListenerSocket.Start(handle, Context.Loops, this));
            else
                home.Post(state => LoopOf(home).Serve(UdpSocket.Attach(home, (SocketHandle)state!)), handle);
        }

        _bound.Clear();
    }

    /// <summary>Closes what was bound and never served.</summary>
    public void Abandon()
    {
        foreach ((SocketHandle handle, _) in _bound)
            handle.Dispose();
        _bound.Clear();
    }

    /// <summary>Closes all sockets. There is nothing to drain: whoever waits for an answer asks again, and its next query finds whoever serves then.</summary>
    public async Task StopAsync()
    {
        if (Interlocked.Exchange(ref _stopping, 1) != 0)
            return;
        Abandon();
        DnsLog.Stopping(Context.ServerLog, Span);
        await Task.WhenAll(_listeners.Select(static listener => listener.StopAccepting())).ConfigureAwait(false);
        await Task.WhenAll(Context.Loops.Loops.Select(CloseOn)).ConfigureAwait(false);
        DnsLog.Stopped(Context.ServerLog, Span);
    }

    void IAcceptHandler.OnAccepted(EventLoop loop, LoopSocket socket) => LoopOf(loop).Serve(socket);

    void IAcceptHandler.OnAcceptError(EventLoop loop, Errno error, AcceptBackoff backoff) => DnsLog.AcceptFailed(Context.ServerLog, ErrnoText.Describe(error), Span);

    private DnsLoop LoopOf(EventLoop loop) => _loops[loop.Index] ??= new DnsLoop(this, loop);

    private Task CloseOn(EventLoop loop)
    {
        var closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        bool isPosted = loop.Post(_ =>
        {
            _loops[loop.Index]?.Close();
            closed.SetResult();
        }, null);
        return isPosted ? closed.Task : Task.CompletedTask;
    }

    private void BindAll()
    {
        DnsSettings settings = Context.Settings;
        if (settings.Address is { } address)
        {
            Bind(address);
        }
        else
        {
            Bind(new IPEndPoint(IPAddress.Loopback, settings.Port));
            if (settings.IPv6Enabled)
                BindIPv6(new IPEndPoint(IPAddress.IPv6Loopback, settings.Port));
        }

        EndPoints = [.. _bound.Select(static socket => socket.Handle.LocalEndPoint).Distinct()];
    }

    // IPv6 may be off in this pod's namespace: then there is no ::1 to be captured from.
    private void BindIPv6(IPEndPoint address)
    {
        try
        {
            Bind(address);
        }
        catch (LinuxException absent) when (absent.Error is Errno.EADDRNOTAVAIL or Errno.EAFNOSUPPORT)
        {
            DnsLog.NoIPv6(Context.ServerLog, absent.Message, Span);
        }
    }

    private void Bind(IPEndPoint address)
    {
        SocketHandle stream = Sockets.OpenListener(address, ListenerKind.Plain);
        _bound.Add((stream, IsStream: true));
        // With port 0 (tests) both get the same one.
        _bound.Add((Sockets.OpenUdpListener(address.Port == 0 ? stream.LocalEndPoint : address), IsStream: false));
    }
}
