namespace Ztunnel.Mesh.State;

/// <summary>Waiting for something to appear in the mesh, such as a pod's own workload, which the node may know before the control plane has told (control-path 5.9).</summary>
public static class MeshWaiting
{
    /// <summary>The first non-null result of <paramref name="find"/>, on the current snapshot or a later one; null when the time is over.</summary>
    public static ValueTask<T?> WaitForAsync<T>(this IMeshStore store, Func<MeshSnapshot, T?> find, TimeSpan timeout, TimeProvider time, CancellationToken cancellation)
        where T : class
    {
        T? found = find(store.Current);
        return found is not null ? ValueTask.FromResult<T?>(found) : new ValueTask<T?>(WaitAsync(store, find, timeout, time, cancellation));
    }

    private static async Task<T?> WaitAsync<T>(IMeshStore store, Func<MeshSnapshot, T?> find, TimeSpan timeout, TimeProvider time, CancellationToken cancellation)
        where T : class
    {
        var appeared = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        store.Changed += OnChanged;
        try
        {
            // Looked at again after subscribing: a snapshot may have been published in between.
            if (find(store.Current) is { } found) return found;
            return await appeared.Task.WaitAsync(timeout, time, cancellation).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            return null;
        }
        finally
        {
            store.Changed -= OnChanged;
        }

        void OnChanged(MeshChange change)
        {
            if (find(change.Snapshot) is { } found) appeared.TrySetResult(found);
        }
    }
}
