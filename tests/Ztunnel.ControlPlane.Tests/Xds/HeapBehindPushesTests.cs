using Ztunnel.ControlPlane.Xds;
using Ztunnel.Mesh.State;
using Ztunnel.Protos.Discovery;
using static Ztunnel.ControlPlane.Tests.Xds.Resources;

namespace Ztunnel.ControlPlane.Tests.Xds;

public sealed class HeapBehindPushesTests
{
    private readonly DeltaProtocol _protocol = new(new XdsNodeSettings(), onDemand: false, new MeshStore());
    private readonly HeapBehindPushes _heap;
    private int _collections;

    public HeapBehindPushesTests() => _heap = new HeapBehindPushes(() => _collections++);

    [Fact]
    public void OnApplied_LargePush_CollectsOnceBehindIt()
    {
        Push(first: 0, count: 1_000);

        Assert.Equal(1, _collections);
    }

    [Fact]
    public void OnApplied_SmallPushes_AddUp()
    {
        for (int push = 0; push < 4; push++) Push(first: push * 100, count: 100);
        Assert.Equal(0, _collections);

        Push(first: 400, count: 100);
        Assert.Equal(1, _collections);

        Push(first: 500, count: 100);
        Assert.Equal(1, _collections);
    }

    [Fact]
    public void OnApplied_TheSameAgain_OrNothing_DoesNotCount()
    {
        for (int push = 0; push < 10; push++) Push(first: 0, count: 400);
        _heap.OnApplied(null);

        Assert.Equal(0, _collections);
    }

    [Fact]
    public void CollectYoung_FreesWhatThePushLeft_AndLeavesTheElderAlone()
    {
        object elder = new();
        GC.Collect();
        GC.Collect();
        WeakReference left = Leave();

        HeapBehindPushes.CollectYoung();

        Assert.False(left.IsAlive);
        Assert.Equal(GC.MaxGeneration, GC.GetGeneration(elder));
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static WeakReference Leave() => new(new byte[100]);

    private void Push(int first, int count)
    {
        DeltaDiscoveryResponse response = Addresses([.. Enumerable.Range(first, count).Select(static i => Workload($"w{i}", $"10.0.{i / 250}.{i % 250}", version: "1"))]);
        _heap.OnApplied(_protocol.OnResponse(response).Change);
    }
}
