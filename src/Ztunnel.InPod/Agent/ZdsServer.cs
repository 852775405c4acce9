using Microsoft.Extensions.Logging;
using Ztunnel.InPod.Pods;
using Ztunnel.InPod.Zds;
using Ztunnel.Linux;
using Ztunnel.Linux.Namespaces;

namespace Ztunnel.InPod.Agent;

/// <summary>
/// The agent's side of the protocol (istio-integration 3.3 to 3.5). Every proxy that connects gets the pods there are, then changes: additions go to the newest only, deletions to all,
/// so that during an upgrade the old proxy keeps what it has and the new one takes over.
/// </summary>
public sealed class ZdsServer(ZdsListener listener, TimeProvider time, ILogger log) : IAsyncDisposable
{
    private readonly SemaphoreSlim _turn = new(1, 1);

    // Touched by the holder of the turn only.
    private readonly Dictionary<string, (PodIdentity Pod, NetworkNamespace Namespace)> _pods = new(StringComparer.Ordinal);
    private readonly List<ZdsPeer> _peers = [];

    /// <summary>Serves the proxies that connect, until asked to stop.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        AgentLog.Listening(log, listener.Path);
        try
        {
            while (true)
                await WelcomeAsync(await listener.AcceptAsync(stopping).ConfigureAwait(false)).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Asked to stop; connections are closed by DisposeAsync.
        }
    }

    /// <summary>A pod is there, or has a new namespace, which is taken over. Proxies that connect later get it with their snapshot.</summary>
    public async Task AddAsync(PodIdentity pod, NetworkNamespace podNamespace)
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_pods.Remove(pod.Uid, out (PodIdentity Pod, NetworkNamespace Namespace) former))
                former.Namespace.Dispose();
            _pods.Add(pod.Uid, (pod, podNamespace));
            // The newest proxy; where it fails, the one before it.
            while (_peers is [.., var newest])
            {
                if (await TryAsync(newest, peer => SendAsync(peer, pod, podNamespace)).ConfigureAwait(false))
                    break;
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>A pod is gone.</summary>
    public async Task RemoveAsync(string uid)
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_pods.Remove(uid, out (PodIdentity Pod, NetworkNamespace Namespace) gone))
                gone.Namespace.Dispose();
            foreach (ZdsPeer peer in _peers.ToArray())
                await TryAsync(peer, peer => peer.DeleteAsync(uid)).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        foreach (ZdsPeer peer in _peers)
            await peer.DisposeAsync().ConfigureAwait(false);
        foreach ((_, NetworkNamespace held) in _pods.Values)
            held.Dispose();
        _peers.Clear();
        _pods.Clear();
        _turn.Dispose();
    }

    private async Task WelcomeAsync(ZdsLink link)
    {
        ZdsPeer peer;
        try
        {
            peer = await ZdsPeer.GreetAsync(link, time).ConfigureAwait(false);
        }
        catch (ZdsPeerException refused)
        {
            AgentLog.ProxyDisconnected(log, refused.Message);
            return;
        }

        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            _peers.Add(peer);
            if (!await TryAsync(peer, SendSnapshotAsync).ConfigureAwait(false))
                return;
            AgentLog.ProxyConnected(log, _pods.Count);
            _ = ForgetAtEndAsync(peer);
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task<string> SendSnapshotAsync(ZdsPeer peer)
    {
        foreach ((PodIdentity pod, NetworkNamespace podNamespace) in _pods.Values)
            await SendAsync(peer, pod, podNamespace).ConfigureAwait(false);
        return await peer.CompleteSnapshotAsync().ConfigureAwait(false);
    }

    private async Task<string> SendAsync(ZdsPeer peer, PodIdentity pod, NetworkNamespace podNamespace)
    {
        using DescriptorHandle descriptor = podNamespace.DuplicateHandle();
        string error = await peer.AddAsync(pod, descriptor).ConfigureAwait(false);
        if (error.Length > 0)
            AgentLog.PodRefused(log, pod.ToString(), error);
        return error;
    }

    /// <summary>False when the connection turned out to be over; it is forgotten then.</summary>
    private async Task<bool> TryAsync(ZdsPeer peer, Func<ZdsPeer, Task<string>> ask)
    {
        try
        {
            await ask(peer).ConfigureAwait(false);
            return true;
        }
        catch (ZdsPeerException over)
        {
            if (_peers.Remove(peer))
                AgentLog.ProxyDisconnected(log, over.Message);
            await peer.DisposeAsync().ConfigureAwait(false);
            return false;
        }
    }

    private async Task ForgetAtEndAsync(ZdsPeer peer)
    {
        string reason = await peer.Ended.ConfigureAwait(false);
        try
        {
            await _turn.WaitAsync().ConfigureAwait(false);
        }
        catch (ObjectDisposedException)
        {
            // The server closed it.
            return;
        }

        try
        {
            if (_peers.Remove(peer))
                AgentLog.ProxyDisconnected(log, reason);
            await peer.DisposeAsync().ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }
}
