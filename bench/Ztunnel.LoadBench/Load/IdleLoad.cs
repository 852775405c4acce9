using System.Net;
using Ztunnel.LoadBench.Native;

namespace Ztunnel.LoadBench.Load;

/// <summary>Connections that have echoed one byte and then only exist.</summary>
internal sealed class IdleLoad(IPEndPoint target) : LoadLoop(target)
{
    // A pair that shakes hands for each of 50,000 connections, beside other subjects that do the same.
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    private readonly List<int> _open = [];

    public int Count => _open.Count;

    public void GrowTo(int connections) => GrowBy([.. Enumerable.Repeat(Target, connections - _open.Count)]);

    public void GrowBy(IReadOnlyList<IPEndPoint> targets) => _open.AddRange(OpenConnections(targets, (byte)'E', Limit));

    public void CloseAll()
    {
        _open.ForEach(Tcp.Close);
        _open.Clear();
    }

    protected override void OnEvent(int fd, uint events)
    {
    }
}
