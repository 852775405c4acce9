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

    /// <summary>Whom to ask in an attempt, counted from 0: those in good standing first, each in the order of the file, then round again.</summary>
    public int Choose(int attempt, long now)
    {
        int wanted = attempt % Count;
        for (int pass = 0; pass < 2; pass++)
        {
            for (int index = 0; index < Count; index++)
            {
                if (now < _penalizedUntil[index] == (pass == 1) && wanted-- == 0)
                    return index;
            }
        }

        return 0;
    }

    public void Failed(int index, long now) => _penalizedUntil[index] = now + PenaltyMilliseconds;

    public void Answered(int index) => _penalizedUntil[index] = 0;
}
