namespace Ztunnel.Http2;

/// <summary>
/// How much of what costs us more than it costs the peer is borne before the connection is ended with ENHANCE_YOUR_CALM. Counts are allowances that refill completely
/// within <see cref="RefillPeriod"/>: a tunnel that lives for months does not run into them by old age.
/// </summary>
public sealed record Http2Limits
{
    public TimeSpan RefillPeriod { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Streams opened and reset by the peer within one call of Receive: nobody has seen them before they were gone. 20 is what other proxies of the mesh bear.</summary>
    public int ResetsBeforeAccept { get; init; } = 20;

    /// <summary>Streams reset by the peer before they were answered. Ten full sets of 200: a dead application whose clients give up early is no attack.</summary>
    public int ResetsBeforeResponse { get; init; } = 2_000;

    /// <summary>Streams that we had to reset or refuse because of what the peer did.</summary>
    public int CausedResets { get; init; } = 1_024;

    /// <summary>Streams reset by us that are remembered, so that what the peer had sent before it knew is ignored and not an error.</summary>
    public int RememberedResets { get; init; } = 256;

    public int Settings { get; init; } = 100;

    /// <summary>GOAWAY frames. A graceful end has two; each makes us look at every stream.</summary>
    public int GoAways { get; init; } = 20;

    public int Pings { get; init; } = 1_000;

    /// <summary>DATA frames without payload, padded or not, and without END_STREAM.</summary>
    public int EmptyData { get; init; } = 1_000;

    /// <summary>WINDOW_UPDATE frames. Each DATA frame we send earns the peer some more, see <see cref="WindowUpdatesPerDataFrame"/>.</summary>
    public int WindowUpdates { get; init; } = 10_000;

    public int WindowUpdatesPerDataFrame { get; init; } = 10;

    /// <summary>PRIORITY frames, frames of unknown types and late frames for closed streams.</summary>
    public int IgnoredFrames { get; init; } = 2_000;

    /// <summary>CONTINUATION frames of one header section.</summary>
    public int ContinuationsPerSection { get; init; } = 32;

    /// <summary>
    /// How often a decoded header list may exceed MAX_HEADER_LIST_SIZE and still be read to its end for the sake of the tables. A list is at most twice that size on the wire, but an
    /// index of one byte can stand for 4 KiB.
    /// </summary>
    public int HeaderListExcess { get; init; } = 4;

    /// <summary>Answers (ACKs, RST_STREAMs) waiting to be written because the peer does not read.</summary>
    public int QueuedAnswers { get; init; } = 1_000;

    /// <summary>Bytes of control frames of any kind waiting for the same reason: answers to requests and window updates, too. A full set of 200 answers with baggage is a quarter of it.</summary>
    public int QueuedControlBytes { get; init; } = 1024 * 1024;

    /// <summary>Parameters in one SETTINGS frame.</summary>
    public int ParametersPerSettings { get; init; } = 100;
}
