using System.Collections.Concurrent;
using System.Net.Sockets;

namespace Ztunnel.Endurance.Load;

/// <summary>Sums of everything the load did, and what must not have happened. Used by all tasks.</summary>
internal sealed class Tally
{
    private const int ToldViolations = 20;

    private readonly ConcurrentDictionary<string, long> _counts = new(StringComparer.Ordinal);
    private long _connections;
    private long _verified;
    private long _churn;
    private int _violationCount;

    public long Connections => Volatile.Read(ref _connections);

    public long VerifiedBytes => Volatile.Read(ref _verified);

    public long ChurnEvents => Volatile.Read(ref _churn);

    public int ViolationCount => Volatile.Read(ref _violationCount);

    /// <summary>How often what happened, in the order of names.</summary>
    public string Counts => string.Join(", ", _counts.OrderBy(static count => count.Key, StringComparer.Ordinal).Select(static count => $"{count.Key} {count.Value}"));

    public void Opened() => Interlocked.Increment(ref _connections);

    public void Verified(long bytes) => Interlocked.Add(ref _verified, bytes);

    public void Count(string what) => _counts.AddOrUpdate(what, 1, static (_, count) => count + 1);

    public void Churned(string what)
    {
        Interlocked.Increment(ref _churn);
        Count($"churn {what}");
    }

    public void Violation(string what)
    {
        // At once: whoever watches a run of hours need not wait for its end.
        if (Interlocked.Increment(ref _violationCount) <= ToldViolations)
            Console.WriteLine($"FAILED: {what}");
    }

    /// <summary>Judges how an exchange failed: a cut is what churn may do to what it touches; wrong bytes never are.</summary>
    public void Failed(string kind, string what, bool isTouched, Exception failure)
    {
        if (failure is SocketException { SocketErrorCode: var code } && isTouched)
            Count($"{kind} cut");
        else if (failure is SocketException socket)
            Violation($"{what} at {DateTimeOffset.UtcNow:HH:mm:ss.fff}: {socket.SocketErrorCode}");
        else
            Violation($"{what}: {failure.Message}");
    }
}
