using System.Globalization;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Ztunnel.InPod.Pods;
using Ztunnel.Linux;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.InPod.Zds;

/// <summary>
/// Pods from the Istio CNI node agent (control-path 8): connects to its socket, serves one session after the other and keeps every pod in between.
/// A connection that completed its snapshot is followed by another at once; one that did not, after a delay that grows, so that neither an agent that is away nor one that fails every time is stormed.
/// </summary>
public sealed class ZdsClient(string path, PodSupervisor pods, TimeProvider time, ILogger log) : IPodSource
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(15);

    // A Unix socket connects at once; only a full accept queue makes it wait.
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(5);

    private volatile bool _isReady;
    private volatile bool _isConnected;

    public event Action<bool>? ReadinessChanged;

    public bool IsReady => _isReady;

    /// <summary>Whether an agent is connected, ready or not.</summary>
    public bool IsConnected => _isConnected;

    public async Task RunAsync(CancellationToken stopping)
    {
        TimeSpan delay = FirstDelay;
        try
        {
            while (!stopping.IsCancellationRequested)
            {
                ZdsLink? link = await ConnectAsync(delay, stopping).ConfigureAwait(false);
                if (link is not null && await ServeAsync(link, stopping).ConfigureAwait(false))
                {
                    delay = FirstDelay;
                    continue;
                }

                await Task.Delay(delay, time, stopping).ConfigureAwait(false);
                delay = delay * 2 < LongestDelay ? delay * 2 : LongestDelay;
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Asked to stop; the pods are stopped by whoever owns them.
        }
    }

    /// <summary>Null when nobody listens.</summary>
    private async Task<ZdsLink?> ConnectAsync(TimeSpan delay, CancellationToken stopping)
    {
        try
        {
            // Connecting blocks, on a pool thread and for a limited time.
            return ZdsLink.Start(await Task.Run(() => SeqPacketSocket.Connect(path, ConnectLimit), stopping).ConfigureAwait(false));
        }
        catch (LinuxException refused)
        {
            ZdsLog.ConnectFailed(log, path, ErrnoText.Describe(refused.Error), Describe(delay));
            return null;
        }
    }

    /// <summary>One session; true when it got as far as a complete snapshot.</summary>
    private async Task<bool> ServeAsync(ZdsLink link, CancellationToken stopping)
    {
        await using ConfiguredAsyncDisposable closing = link.ConfigureAwait(false);
        ZdsLog.Connected(log);
        _isConnected = true;
        var session = new ZdsSession(link, pods, time, log);
        try
        {
            await session.RunAsync(() => SetReady(true), stopping).ConfigureAwait(false);
            return session.IsSnapshotHandled;
        }
        catch (Exception problem) when (problem is not OperationCanceledException)
        {
            // One session's mishap is not the end of following the agent: no pod would ever be added or removed again.
            ZdsLog.SessionFailed(log, problem);
            return false;
        }
        finally
        {
            SetReady(false);
            _isConnected = false;
        }
    }

    private void SetReady(bool isReady)
    {
        if (_isReady == isReady)
            return;
        _isReady = isReady;
        ReadinessChanged?.Invoke(isReady);
    }

    private static string Describe(TimeSpan delay) => delay < TimeSpan.FromSeconds(1)
        ? delay.TotalMilliseconds.ToString("0ms", CultureInfo.InvariantCulture)
        : delay.TotalSeconds.ToString("0.##s", CultureInfo.InvariantCulture);
}
