using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Ztunnel.InPod.Redirection;
using Ztunnel.Linux;
using Ztunnel.Linux.Namespaces;

namespace Ztunnel.InPod.Agent;

/// <summary>
/// The node agent of a machine without Kubernetes: reads which pods there are from a file (<see cref="PodList"/>), installs the redirection in each and hands its namespace to the node proxies.
/// The file is looked at every second, which also works where it is replaced rather than written; a list that cannot be used is reported once and changes nothing.
/// When the agent ends, everything stays: pods keep their rules, proxies their pods.
/// </summary>
public sealed class NodeAgent(string listPath, RedirectionOptions defaults, ZdsServer proxies, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan LookPeriod = TimeSpan.FromSeconds(1);

    // Listed namespaces may be made after the list, or made anew under the same path; rules may have failed.
    private const int LooksPerRefresh = 5;

    private readonly Dictionary<string, CapturedPod> _captured = new(StringComparer.Ordinal);
    private readonly HashSet<string> _reported = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource _applied = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private PodList? _list;
    private byte[]? _lastContent;
    private string? _lastProblem;

    /// <summary>Reads the list without using it. Throws <see cref="PodListException"/>.</summary>
    public static void Check(string path) => PodList.Parse(path, ReadFile(path));

    /// <summary>Completes when the list was gone through once. Proxies are served from then on: one that connects at once gets every pod with its snapshot, before it says it is ready.</summary>
    public Task Applied => _applied.Task;

    public async Task RunAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(LookPeriod, time);
        int looks = 0;
        try
        {
            do
            {
                bool changed = ReadIfChanged();
                if (_list is not null && (changed || looks % LooksPerRefresh == 0))
                    await ApplyAsync(_list, stopping).ConfigureAwait(false);
                looks++;
            }
            while (await timer.WaitForNextTickAsync(stopping).ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Asked to stop; what is captured stays so.
        }
    }

    /// <summary>True when there is a new list to apply.</summary>
    private bool ReadIfChanged()
    {
        try
        {
            // The list is small: its content is the only stamp that tells every change.
            byte[] content = ReadFile(listPath);
            if (_lastContent is not null && content.AsSpan().SequenceEqual(_lastContent))
                return false;
            _lastContent = content;
            _list = PodList.Parse(listPath, content);
            _lastProblem = null;
            AgentLog.ListLoaded(log, listPath, _list.Pods.Length);
            return true;
        }
        catch (PodListException problem)
        {
            if (problem.Message != _lastProblem)
                AgentLog.ListRefused(log, problem.Message);
            _lastProblem = problem.Message;
            return false;
        }
    }

    private async Task ApplyAsync(PodList list, CancellationToken stopping)
    {
        ImmutableHashSet<string> listed = [.. list.Pods.Select(static pod => pod.Identity.Uid)];
        foreach (CapturedPod gone in _captured.Values.Where(pod => !listed.Contains(pod.Entry.Identity.Uid)).ToArray())
            await ReleaseAsync(gone, stopping).ConfigureAwait(false);
        foreach (PodListEntry pod in list.Pods)
            await CaptureAsync(pod, stopping).ConfigureAwait(false);
        _applied.TrySetResult();
    }

    /// <summary>Rules first, then the proxy: what begins in between waits at a closed port for a moment instead of passing by unencrypted.</summary>
    private async Task CaptureAsync(PodListEntry pod, CancellationToken stopping)
    {
        string uid = pod.Identity.Uid;
        NetworkNamespace podNamespace;
        try
        {
            podNamespace = NetworkNamespace.Open(pod.Netns);
        }
        catch (LinuxException missing)
        {
            if (_reported.Add(uid))
                AgentLog.NamespaceMissing(log, pod.Name, pod.Namespace, missing.Message);
            // A pod whose namespace is gone has nothing left that could be served.
            if (_captured.Remove(uid))
                await proxies.RemoveAsync(uid).ConfigureAwait(false);
            return;
        }

        var wanted = new CapturedPod(pod, pod.Rules(defaults), podNamespace.Id);
        if (_captured.TryGetValue(uid, out CapturedPod? present) && present.IsSameAs(wanted))
        {
            podNamespace.Dispose();
            return;
        }

        try
        {
            await new PodRedirection(pod.Netns).InstallAsync(wanted.Rules, stopping).ConfigureAwait(false);
        }
        catch (RedirectionException failed)
        {
            podNamespace.Dispose();
            if (_reported.Add(uid))
                AgentLog.CaptureFailed(log, pod.Name, pod.Namespace, failed.Message);
            return;
        }

        _reported.Remove(uid);
        _captured[uid] = wanted;
        await proxies.AddAsync(pod.Identity, podNamespace).ConfigureAwait(false);
        AgentLog.PodHandedOver(log, pod.Name, pod.Namespace);
    }

    /// <summary>The rules go first: new connections pass by the proxy before it stops.</summary>
    private async Task ReleaseAsync(CapturedPod pod, CancellationToken stopping)
    {
        try
        {
            if (IsStillThere(pod))
                await new PodRedirection(pod.Entry.Netns).RemoveAsync(stopping).ConfigureAwait(false);
        }
        catch (RedirectionException failed)
        {
            AgentLog.ReleaseFailed(log, pod.Entry.Name, pod.Entry.Namespace, failed.Message);
        }

        _captured.Remove(pod.Entry.Identity.Uid);
        await proxies.RemoveAsync(pod.Entry.Identity.Uid).ConfigureAwait(false);
        AgentLog.PodReleased(log, pod.Entry.Name, pod.Entry.Namespace);
    }

    private static bool IsStillThere(CapturedPod pod)
    {
        try
        {
            using NetworkNamespace now = NetworkNamespace.Open(pod.Entry.Netns);
            return now.Id == pod.NamespaceId;
        }
        catch (LinuxException)
        {
            // Gone with its rules.
            return false;
        }
    }

    private static byte[] ReadFile(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new PodListException($"{path}: cannot be read: {problem.Message}");
        }
    }

    /// <summary>A pod with rules in place, which the proxies know.</summary>
    private sealed record CapturedPod(PodListEntry Entry, RedirectionOptions Rules, (ulong Device, ulong Inode) NamespaceId)
    {
        public bool IsSameAs(CapturedPod other) => Entry.Identity == other.Entry.Identity && NamespaceId == other.NamespaceId && Rules.IsSameAs(other.Rules);
    }
}
