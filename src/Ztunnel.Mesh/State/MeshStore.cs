using System.Diagnostics;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.State;

/// <summary>Holds the current snapshot. Writers take turns; readers take what <see cref="Current"/> is and need no lock.</summary>
public sealed class MeshStore : IMeshStore
{
    private readonly Lock _writing = new();
    private readonly MeshInterner _interner = new();   // under _writing
    private readonly string? _localNode;
    private readonly TaskCompletionSource _firstSync = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile MeshSnapshot _current = MeshSnapshot.Empty;

    /// <param name="localNode">NODE_NAME: workloads of this node can be found by <see cref="MeshSnapshot.FindLocalWorkload"/>. Null or empty: all can.</param>
    public MeshStore(string? localNode = null) => _localNode = localNode;

    public MeshSnapshot Current => _current;

    public event Action<MeshChange>? Changed;

    public Task FirstSync => _firstSync.Task;

    /// <summary>This many records are coming: with <see cref="Share"/>, then in one update.</summary>
    public void Expect(int records)
    {
        lock (_writing) SetScale(records);
    }

    /// <summary>
    /// The record with its parts replaced by equal ones that the mesh has. For whoever reads a large update record by record: what was read dies at once, instead of living, several times as large, until all of it is applied.
    /// </summary>
    public Workload Share(Workload workload)
    {
        lock (_writing) return _interner.Intern(workload, _current.FindWorkloadByUid(workload.Uid));
    }

    /// <summary>Applies one response of the control plane and publishes the result, all of it at once. Nothing is published when nothing changes.</summary>
    public MeshChange Apply(MeshUpdate update) => Publish(update, replace: false);

    /// <summary>Makes the mesh what the update holds; what is equal already stays as it is.</summary>
    public MeshChange Replace(MeshUpdate full) => Publish(full, replace: true);

    /// <summary>The first complete state is there.</summary>
    public void MarkSynced() => _firstSync.TrySetResult();

    private MeshChange Publish(MeshUpdate update, bool replace)
    {
        lock (_writing)
        {
            long begin = Stopwatch.GetTimestamp();
            MeshSnapshot current = _current;
            SetScale(update.Workloads.Count + update.Services.Count);
            var builder = new SnapshotBuilder(current, _localNode, _interner);
            foreach (Workload workload in update.Workloads) builder.Set(workload);
            foreach (Service service in update.Services) builder.Set(service);
            IEnumerable<string> removedPolicies = update.RemovedPolicies;
            if (replace)
            {
                builder.KeepOnly(update);
                var keys = update.Policies.Select(static policy => policy.Key).ToHashSet(StringComparer.Ordinal);
                removedPolicies = [.. current.AllPolicies.Select(static policy => policy.Key).Where(key => !keys.Contains(key))];
            }
            else
            {
                foreach (string name in update.RemovedAddresses) builder.RemoveAddress(name);
            }

            MeshChange change = builder.Build(update.Policies, removedPolicies);
            if (change.IsEmpty) return change;

            change.Duration = Stopwatch.GetElapsedTime(begin);
            _current = change.Snapshot;
            Changed?.Invoke(change);   // under the lock, so that handlers see changes in order
            return change;
        }
    }

    private void SetScale(int coming) => _interner.SetScale(_current.WorkloadCount + _current.ServiceCount + coming);
}
