using Ztunnel.Namespace.Tests.Observability;

namespace Ztunnel.Namespace.Tests.Frames;

/// <summary>Where our frames differ from the recorded ones on purpose. Everything that is not listed here has to be the same.</summary>
internal static class IntendedFrameDifferences
{
    /// <summary>A stream's window begins at 256 KiB and grows to the recorded 4 MiB while the stream uses it up, so that what blocked applications can make a process hold stays bounded.</summary>
    public const string ServerSettings = "MAX_CONCURRENT_STREAMS=200 INITIAL_WINDOW_SIZE=262144 MAX_FRAME_SIZE=1048576 MAX_HEADER_LIST_SIZE=65536";

    public const string ClientSettings = "ENABLE_PUSH=0 INITIAL_WINDOW_SIZE=262144 MAX_FRAME_SIZE=1048576 MAX_HEADER_LIST_SIZE=16384";

    private const string Refused = "peer refuses the stream (REFUSED_STREAM) before the response";
    private const string Calmed = "peer sends GOAWAY(ENHANCE_YOUR_CALM) instead of a response and closes";

    /// <summary>An application that resets its connection is no success: the other application gets a reset, too (design section 7).</summary>
    private const string ApplicationResets = "application resets its TCP connection (RST) after reading";

    /// <summary>A name whose service this pod does not serve is no way to reach this pod (design section 7).</summary>
    private const string ForeignService = "host name of a service without this pod as endpoint";

    // A stream that ends without END_STREAM was cut off, whatever its code says: an application must not take half an answer for a whole one. The recorded program gives it an orderly end.
    private static readonly string[] CutOff =
    [
        "peer resets with CANCEL after the first data", "peer resets with INTERNAL_ERROR after the first data", "peer resets with NO_ERROR after the first data",
        "peer closes TCP cleanly during the stream", "peer resets TCP during the stream",
    ];

    private const string ApplicationReset = "\"io error: Connection reset by peer (os error 104)\"";

    // What ended the stream rather than which write noticed it.
    private static readonly (string Recorded, string Ours)[] Words =
    [
        ("\"while closing connection: receive: io error: broken pipe\"", "\"io error: stream error received: stream no longer needed\""),
        ("\"send: io error: stream error received: unexpected internal error encountered\"", "\"io error: stream error received: unexpected internal error encountered\""),
        ("\"while closing connection: receive: io error: stream closed because of a broken pipe\"", "\"io error: stream closed because of a broken pipe\""),
        ("\"while closing connection: receive: io error: connection reset\"", ApplicationReset),
    ];

    public static string[] Frames(ReplayedCase replayed) => replayed.Case switch
    {
        ApplicationResets => [replayed.Recorded[0], "RESET CANCEL"],
        ForeignService => ["HEADERS :status=503", "END", "RESET NO_ERROR"],
        // Nothing has been delivered: once more, on a fresh stream or tunnel.
        Refused or Calmed => [.. replayed.Recorded, .. replayed.Recorded],
        _ => replayed.Recorded,
    };

    public static bool NewTunnel(ReplayedCase replayed) => replayed.Case switch
    {
        // Recorded in another run, which began here; ours goes on.
        "first connection of a new tunnel (for the following cases)" => false,
        // The retry, and the connection after it: the recording had one in between that is not replayed.
        Calmed or "application only connects and closes" => true,
        _ => replayed.RecordedNewTunnel,
    };

    public static string Transcript(RecordedApplication application) => CutOff.Contains(application.Case) ? "reset" : application.Normalize(application.Recorded);

    /// <summary>A log line of the server role as it should be here.</summary>
    public static LogFields ServerLine(LogFields recorded)
    {
        if (recorded["dst.hbone_addr"] == "empty.default.svc.cluster.local:80")
            return LogFields.Read("\twarn\taccess\tconnection failed\tsrc.addr=10.88.0.3:1 dst.addr=10.88.0.2:15008 direction=\"inbound\" " +
                "error=\"requested service empty.default.svc.cluster.local found, but this workload is not an endpoint of it\"");
        LogFields line = IntendedDifferences.Line(scenario: "", "b", recorded, json: false);
        if (line["dst.hbone_addr"] == "10.88.0.2:8084")
            return line.With("level", "error", behind: "").With("error", ApplicationReset, behind: "duration");
        return line["error"] is { } error && Words.FirstOrDefault(words => words.Recorded == error).Ours is { } ours ? line.With("error", ours, behind: "duration") : line;
    }
}
