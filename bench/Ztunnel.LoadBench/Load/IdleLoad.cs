using System.Net;
using Ztunnel.LoadBench.Native;

namespace Ztunnel.LoadBench.Load;

/// <summary>Connections that have echoed one byte and then only exist.</summary>
internal sealed class IdleLoad(IPEndPoint target) : LoadLoop(target)
{
    private readonly List<int> _open = [];

    public int Count => _open.Count;

    public void GrowTo(int connections) =>
        _open.AddRange(OpenConnections([.. Enumerable.Repeat(Target, connections - _open.Count)], (byte)'E', TimeSpan.FromSeconds(60)));

    public void GrowBy(IReadOnlyList<IPEndPoint> targets) => _open.AddRange(OpenConnections(targets, (byte)'E', TimeSpan.FromSeconds(60)));

    public void CloseAll()
    {
        _open.ForEach(Tcp.Close);
        _open.Clear();
    }

    protected override void OnEvent(int fd, uint events)
    {
    }
}
