using System.Net;
using System.Net.Sockets;
using Ztunnel.Linux.Sockets;
using Ztunnel.Proxy.Connections;

namespace Ztunnel.Proxy.Inbound;

/// <summary>Connects to an application of the pod, with the client's address as the source where that is possible (data-path 1.7, 3.6).</summary>
internal static class ApplicationConnector
{
    // Of 14,116 ports for each client and application; then the kernel looks for a free one itself.
    private const int Choices = 3;

    /// <param name="home">The pod and the loop.</param>
    /// <param name="application">The address to connect to.</param>
    /// <param name="source">The address the application is to see; null for the pod's own.</param>
    public static ValueTask<ConnectResult> ConnectAsync(WorkloadLoop home, IPEndPoint application, IPAddress? source)
    {
        // A pod that calls itself: both ends would have the same address (istio-integration 2.7, S8).
        if (source is null || source.Equals(application.Address))
            return StartAsync(home, home.Workload.Sockets.OpenTcp(application.Address.AddressFamily), application);

        for (int choice = 0; ; choice++)
        {
            bool isLast = choice == Choices;
            SocketHandle handle = home.Workload.Sockets.OpenTcp(source.AddressFamily);
            SpoofResult spoofed = home.Workload.Sockets.BindSpoofed(handle, source, isLast ? 0 : SpoofedPort.Choose());
            if (spoofed.Error == Errno.EADDRINUSE && !isLast)
            {
                handle.Dispose();
                continue;
            }

            if (!spoofed.IsBound)
                ProxyLog.SpoofFailed(home.Context.InboundLog, spoofed.FailedStep!, ErrnoText.Describe(spoofed.Error));
            ValueTask<ConnectResult> connecting = StartAsync(home, handle, application);
            if (isLast || !connecting.IsCompleted)
                return connecting;

            // A port that is taken, for this destination, is known at once.
            ConnectResult result = connecting.Result;
            if (result.Error != Errno.EADDRNOTAVAIL)
                return new ValueTask<ConnectResult>(result);
        }
    }

    /// <summary>The same port on loopback, where a PROXY application should listen (data-path 3.6).</summary>
    public static IPEndPoint OnLoopback(IPEndPoint application) =>
        new(application.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Loopback : IPAddress.Loopback, application.Port);

    public static ConnectionOutcome Describe(in ConnectResult failed) => failed.IsTimeout
        ? new ConnectionOutcome(EndReason.ConnectTimedOut, "connection failed: deadline has elapsed")
        : new ConnectionOutcome(EndReason.ConnectFailed, $"connection failed: {ErrnoText.Describe(failed.Error)}");

    private static ValueTask<ConnectResult> StartAsync(WorkloadLoop home, SocketHandle handle, IPEndPoint application) =>
        LoopSocket.ConnectAsync(home.Loop, handle, application, home.Context.Settings.SetUp.Connect, CancellationToken.None);
}
