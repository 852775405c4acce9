namespace Ztunnel.Namespace.Tests.Failures;

/// <summary>How a connection of an application ends: what it sees, and what the log of its node says.</summary>
/// <param name="Seen">What the application got, in the words of client.py.</param>
/// <param name="Reason">The log's reason; empty for success.</param>
/// <param name="Flag">The log's and the metric's response flag; "-" for success.</param>
/// <param name="Attempts">Attempts the connection took.</param>
/// <param name="Error">Part of the log's error.</param>
/// <param name="AtLeast">It waits for a limit of the product: no answer before that, and none long after.</param>
internal sealed record ExpectedEnd(string Seen, string Reason, string Flag, int Attempts, string Error = "", int AtLeast = 0)
{
    public static ExpectedEnd Answered(int attempts, int atLeast = 0) => new("answer hello", "", "-", attempts, "", atLeast);
}

/// <summary>
/// One way in which the other side fails, met by a connection whose destination has no other endpoint, and by one whose service has another endpoint that is less preferred and well.
/// </summary>
/// <param name="Name">Also the names of its workloads and its service.</param>
/// <param name="Verb">What peer.py does; empty where the failing one is the application behind a real ztunnel.</param>
internal sealed record FailureCase(string Name, string Verb, ExpectedEnd Single, ExpectedEnd Alternative)
{
    private const string StatusOf = "http status: ";

    // Limits of the product (SetUpLimits): connect and handshake 10 s, answer to the CONNECT 15 s.
    private const int Step = 10;
    private const int Answer = 15;

    /// <summary>Applications behind a real ztunnel: the port that the connection goes to.</summary>
    public int ApplicationPort { get; init; } = 8080;

    /// <summary>Nothing answers there, because SYNs are dropped.</summary>
    public bool DropsSyn { get; init; }

    public bool IsApplication => Verb == "" && !DropsSyn && Name != "syn-refused";

    public override string ToString() => Name;

    public static IReadOnlyList<FailureCase> All { get; } =
    [
        new("syn-refused", "", new("reset", "connect_failed", "CONNECT", 1, "io error: Connection refused"), ExpectedEnd.Answered(2)),
        new("syn-dropped", "",
            new("reset", "tunnel_connect_timed_out", "NETWORK_POLICY", 1, "connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008", Step),
            ExpectedEnd.Answered(2, Step)) { DropsSyn = true },
        new("rst-in-handshake", "rst_in_handshake", new("reset", "tls_failed", "TLS_FAILURE", 1, "Connection reset by peer"), ExpectedEnd.Answered(2)),
        new("handshake-stalls", "handshake_stalls", new("reset", "set_up_timed_out", "CONNECT", 1, "tls handshake timed out", Step), ExpectedEnd.Answered(2, Step)),
        new("wrong-san", "wrong_san",
            new("reset", "identity_rejected", "TLS_FAILURE", 1, "peer did not present the expected SAN (spiffe://cluster.local/ns/default/sa/peer), got spiffe://cluster.local/ns/default/sa/somebody"),
            ExpectedEnd.Answered(2)),
        new("no-answer", "mute", new("reset", "set_up_timed_out", "CONNECT", 1, "timed out waiting for the answer to CONNECT", Answer), ExpectedEnd.Answered(2, Answer)),
        new("status-503", "status_503", new("reset", "http_status", "CONNECT", 1, StatusOf + "503 Service Unavailable"), ExpectedEnd.Answered(2)),

        // The destination's considered answer: no other endpoint is asked.
        new("status-401", "status_401", new("reset", "http_status", "CONNECT", 1, StatusOf + "401 Unauthorized"), new("reset", "http_status", "CONNECT", 1, StatusOf + "401 Unauthorized")),
        new("status-400", "status_400", new("reset", "http_status", "CONNECT", 1, StatusOf + "400 Bad Request"), new("reset", "http_status", "CONNECT", 1, StatusOf + "400 Bad Request")),

        // Before the answer nothing has been delivered: once more with a fresh stream, then elsewhere.
        new("refuses-stream", "refuses_stream",
            new("reset", "http2_failed", "H2_HANDSHAKE_FAILURE", 2, "h2 failed: stream error received: refused stream before processing any application logic"), ExpectedEnd.Answered(3)),
        new("goaway-before", "goaway", new("reset", "http2_failed", "H2_HANDSHAKE_FAILURE", 2, "h2 failed: "), ExpectedEnd.Answered(3)),
        new("goaway-before-once", "goaway_once", ExpectedEnd.Answered(2), ExpectedEnd.Answered(2)),
        new("goaway-after", "goaway_later", ExpectedEnd.Answered(1), ExpectedEnd.Answered(1)),

        // After the answer bytes have been delivered: nobody else may get them, the application learns of it.
        new("stream-reset-after", "resets_stream", new("reset", "stream_reset", "CONNECT", 1, "unexpected internal error encountered"), new("reset", "stream_reset", "CONNECT", 1)),
        new("tunnel-cut", "cuts", new("answer hello then reset", "tunnel_lost", "CONNECT", 1), new("answer hello then reset", "tunnel_lost", "CONNECT", 1)),

        new("app-refuses", "", new("reset", "http_status", "CONNECT", 1, StatusOf + "503 Service Unavailable"), ExpectedEnd.Answered(2)) { ApplicationPort = 9999 },
        new("app-resets", "", new("reset", "stream_reset", "CONNECT", 1), new("reset", "stream_reset", "CONNECT", 1)) { ApplicationPort = 8083 },
        new("app-stalls", "", new("reset", "http_status", "CONNECT", 1, StatusOf + "503 Service Unavailable", Step), ExpectedEnd.Answered(2, Step)) { ApplicationPort = 8099 },
    ];

    public static FailureCase Named(string name) => All.Single(each => each.Name == name);
}
