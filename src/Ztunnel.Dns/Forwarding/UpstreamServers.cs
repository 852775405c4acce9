using System.Net;

namespace Ztunnel.Dns.Forwarding;

/// <summary>The resolvers in the order of the file, and which of them are worth asking now. One loop's view.</summary>
internal sealed class UpstreamServers(IReadOnlyList<IPEndPoint> servers)
{
    // A resolver that did not answer is asked last for so long; then the order of the file counts again.
    private const long PenaltyMilliseconds = 5_000;

    private readonly long[] _penalizedUntil = new long[servers.Count];

    public int Count => servers.Count;

    public IPEndPoint this[int index] => servers[index];

    /// <summary>Whom to ask next: of those not tried yet one in good standing, else one that is not, each in the order of the file; when all were tried, round again.</summary>
    /// <param name="tried">A bit for each; it gets the chosen one's.</param>
    /// <param name="now">The loop's milliseconds.</param>
    public int Choose(ref uint tried, long now)
    {
        if (tried == (1u << Count) - 1)
            tried = 0;
        int chosen = -1;
        for (int index = 0; index < Count; index++)
        {
            if ((tried & (1u << index)) != 0)
                continue;
            if (now >= _penalizedUntil[index])
            {
                chosen = index;
                break;
            }

            chosen = chosen < 0 ? index : chosen;
        }

        tried |= 1u << chosen;
        return chosen;
    }

    public void Failed(int index, long now) => _penalizedUntil[index] = now + PenaltyMilliseconds;

    public void Answered(int index) => _penalizedUntil[index] = 0;
}
