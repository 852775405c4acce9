using Microsoft.Extensions.Logging;
using Ztunnel.Linux;
using Ztunnel.Linux.Namespaces;

namespace Ztunnel.InPod.Pods;

/// <summary>
/// Pods from a file (<see cref="PodList"/>), for machines without node agent. The file is looked at every second, which also works where it is replaced rather than written;
/// a list that cannot be used is reported once and changes nothing.
/// </summary>
public sealed class LocalPodListSource(string path, PodSupervisor pods, TimeProvider time, ILogger log) : IPodSource
{
    private static readonly TimeSpan LookPeriod = TimeSpan.FromSeconds(1);

    // Listed namespaces may be made after the list, or made anew under the same path.
    private const int LooksPerRefresh = 5;

    private readonly HashSet<string> _reportedMissing = [];
    private PodList? _list;
    private byte[]? _lastContent;
    private string? _lastProblem;
    private volatile bool _isReady;

    public event Action<bool>? ReadinessChanged;

    public bool IsReady => _isReady;

    /// <summary>Reads the list without using it: what `start` checks before anything is opened. Throws <see cref="PodListException"/>.</summary>
    public static void Check(string path) => PodList.Parse(path, ReadFile(path));

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
            // Asked to stop; the pods are stopped by whoever owns them.
        }
    }

    /// <summary>True when there is a new list to apply.</summary>
    private bool ReadIfChanged()
    {
        try
        {
            // The list is small: its content is the only stamp that tells every change.
            byte[] content = ReadFile(path);
            if (_lastContent is not null && content.AsSpan().SequenceEqual(_lastContent))
                return false;
            _lastContent = content;
            _list = PodList.Parse(path, content);
            _lastProblem = null;
            InPodLog.ListLoaded(log, path, _list.Pods.Length);
            return true;
        }
        catch (PodListException problem)
        {
            if (problem.Message != _lastProblem)
                InPodLog.ListRefused(log, problem.Message);
            _lastProblem = problem.Message;
            return false;
        }
    }

    private async Task ApplyAsync(PodList list, CancellationToken stopping)
    {
        await pods.RetainAsync(list.Pods.Select(static pod => pod.Identity.Uid).ToHashSet(StringComparer.Ordinal), stopping).ConfigureAwait(false);
        foreach (PodListEntry pod in list.Pods)
        {
            if (Open(pod) is { } podNamespace)
                await pods.AddAsync(pod.Identity, podNamespace, stopping).ConfigureAwait(false);
        }

        if (!_isReady)
        {
            _isReady = true;
            ReadinessChanged?.Invoke(true);
        }
    }

    private NetworkNamespace? Open(PodListEntry pod)
    {
        try
        {
            NetworkNamespace opened = NetworkNamespace.Open(pod.Netns);
            _reportedMissing.Remove(pod.Identity.Uid);
            return opened;
        }
        catch (LinuxException problem)
        {
            if (_reportedMissing.Add(pod.Identity.Uid))
                InPodLog.NamespaceMissing(log, pod.Name, pod.Namespace, problem.Message);
            return null;
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
}
