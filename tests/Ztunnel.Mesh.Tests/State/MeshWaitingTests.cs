using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;
using static Ztunnel.Mesh.Tests.Meshes;

namespace Ztunnel.Mesh.Tests.State;

public sealed class MeshWaitingTests
{
    private static readonly LocalWorkloadKey Key = new("late", "default", "late");

    [Fact]
    public async Task WaitFor_AlreadyThere_CompletesAtOnce()
    {
        ValueTask<Workload?> wait = Wait(Store(Pod("late", "10.0.0.1")), TimeSpan.FromSeconds(10), CancellationToken.None);

        Assert.True(wait.IsCompletedSuccessfully);
        Assert.Equal("late", (await wait)!.Name);
    }

    [Fact]
    public async Task WaitFor_AppearsLater_CompletesWithIt()
    {
        MeshStore store = Store();
        ValueTask<Workload?> wait = Wait(store, TimeSpan.FromSeconds(10), CancellationToken.None);

        store.Apply(Update(Pod("other", "10.0.0.2")));
        Assert.False(wait.IsCompleted);
        store.Apply(Update(Pod("late", "10.0.0.1")));

        Assert.Equal("late", (await wait)!.Name);
    }

    [Fact]
    public async Task WaitFor_NeverAppears_IsNullAfterTheTimeout() => Assert.Null(await Wait(Store(), TimeSpan.FromMilliseconds(1), CancellationToken.None));

    [Fact]
    public async Task WaitFor_Cancelled_Throws()
    {
        using var cancellation = new CancellationTokenSource();
        ValueTask<Workload?> wait = Wait(Store(), TimeSpan.FromSeconds(10), cancellation.Token);

        cancellation.Cancel();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await wait);
    }

    private static ValueTask<Workload?> Wait(MeshStore store, TimeSpan timeout, CancellationToken cancellation) =>
        store.WaitForAsync(static mesh => mesh.FindLocalWorkload(Key), timeout, TimeProvider.System, cancellation);
}
