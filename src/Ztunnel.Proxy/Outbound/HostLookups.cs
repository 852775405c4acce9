using System.Net;
using System.Net.Sockets;

namespace Ztunnel.Proxy.Outbound;

/// <summary>
/// Look-ups on their way. Whoever wants a name that is being looked up shares that one, so that a resolver that hangs holds one thread of the pool for each name rather than for each connection.
/// An answer is not kept: the system's resolver, which knows the hosts file too, does not tell how long it is good for. Of the process; any thread.
/// </summary>
internal sealed class HostLookups(Func<string, AddressFamily, Task<IPAddress[]>> resolve)
{
    // Names of workloads are few; threads of the pool are, too.
    internal const int MostNames = 128;

    private readonly Lock _lock = new();
    private readonly Dictionary<(string Hostname, AddressFamily Family), Task<IPAddress[]>> _running = [];

    public HostLookups()
        : this(static (hostname, family) => Dns.GetHostAddressesAsync(hostname, family, CancellationToken.None))
    {
    }

    /// <summary>Faults with a <see cref="SocketException"/> when there is no answer, or when too many names wait for one.</summary>
    public Task<IPAddress[]> LookUpAsync(string hostname, AddressFamily family)
    {
        lock (_lock)
        {
            if (_running.TryGetValue((hostname, family), out Task<IPAddress[]>? running))
                return running;
            if (_running.Count >= MostNames)
                return Task.FromException<IPAddress[]>(new SocketException((int)SocketError.TryAgain));
            Task<IPAddress[]> started = RunAsync(hostname, family);
            if (!started.IsCompleted)
                _running.Add((hostname, family), started);
            return started;
        }
    }

    private async Task<IPAddress[]> RunAsync(string hostname, AddressFamily family)
    {
        try
        {
            return await resolve(hostname, family);
        }
        finally
        {
            lock (_lock)
                _running.Remove((hostname, family));
        }
    }
}
