using System.Net;
using System.Net.Sockets;
using Ztunnel.Proxy.Outbound;

namespace Ztunnel.Proxy.Tests.Outbound;

public sealed class HostLookupsTests
{
    private readonly List<TaskCompletionSource<IPAddress[]>> _asked = [];
    private readonly HostLookups _lookups;

    public HostLookupsTests() => _lookups = new HostLookups((_, _) =>
    {
        _asked.Add(new TaskCompletionSource<IPAddress[]>());
        return _asked[^1].Task;
    });

    [Fact]
    public async Task LookUp_ManyAtOnce_ShareOne_ThenItIsAskedAnew()
    {
        Task<IPAddress[]>[] waiting = [.. Enumerable.Range(0, 100).Select(_ => LookUp("db.example"))];
        Task<IPAddress[]> other = _lookups.LookUpAsync("db.example", AddressFamily.InterNetwork);
        Assert.Equal(2, _asked.Count);

        _asked[0].SetResult([IPAddress.Loopback]);
        foreach (Task<IPAddress[]> each in waiting)
            Assert.Equal([IPAddress.Loopback], await each);
        Assert.False(other.IsCompleted);

        Task<IPAddress[]> next = LookUp("db.example");
        Assert.Equal(3, _asked.Count);
        _asked[2].SetResult([IPAddress.IPv6Loopback]);
        Assert.Equal([IPAddress.IPv6Loopback], await next);
    }

    [Fact]
    public async Task LookUp_Fails_AllLearnOfIt_AndTheNextOneTriesAgain()
    {
        Task<IPAddress[]> first = LookUp("db.example"), second = LookUp("db.example");

        _asked[0].SetException(new SocketException((int)SocketError.HostNotFound));

        await Assert.ThrowsAsync<SocketException>(() => first);
        await Assert.ThrowsAsync<SocketException>(() => second);
        _ = LookUp("db.example");
        Assert.Equal(2, _asked.Count);
    }

    [Fact]
    public async Task LookUp_TooManyNamesWait_FailsAtOnce()
    {
        for (int index = 0; index < HostLookups.MostNames; index++)
            _ = LookUp($"db-{index}.example");

        await Assert.ThrowsAsync<SocketException>(() => LookUp("one-more.example"));

        _asked[0].SetResult([]);
        Assert.False(LookUp("one-more.example").IsCompleted);
    }

    private Task<IPAddress[]> LookUp(string hostname) => _lookups.LookUpAsync(hostname, AddressFamily.Unspecified);
}
