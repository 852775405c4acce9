using Ztunnel.Http2;

namespace Ztunnel.Microbenchmarks.Http2;

/// <summary>A client and a server connection joined by a byte array; the server answers every request and credits all data at once.</summary>
internal sealed class ConnectionPair : IHttp2Events
{
    private readonly byte[] _wire = new byte[64 * 1024];

    public ConnectionPair()
    {
        Client = new Http2Connection(Http2Role.Client, Http2Settings.ForClient, this, nowMilliseconds: 0);
        Server = new Http2Connection(Http2Role.Server, Http2Settings.ForServer, this, nowMilliseconds: 0);
        ExchangeControl();
    }

    public Http2Connection Client { get; }

    public Http2Connection Server { get; }

    /// <summary>What the server opened last.</summary>
    public Http2Stream? Accepted { get; private set; }

    public long DataBytes { get; private set; }

    public int Responses { get; private set; }

    public Http2Stream Open()
    {
        var request = new ConnectRequest
        {
            Authority = "10.0.0.2:8080",
            Baggage = "k8s.cluster.name=Kubernetes,k8s.namespace.name=default,k8s.deployment.name=client,service.name=client,service.version=v1",
            Forwarded = "for=\"10.0.0.1:40000\";host=echo.default.svc.cluster.local",
            TraceParent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-00",
        };
        Http2Stream stream = Client.OpenStream(request, owner: null) ?? throw new InvalidOperationException("no stream to be had");
        ExchangeControl();
        return stream;
    }

    /// <summary>Carries control frames both ways until neither side has any.</summary>
    public void ExchangeControl()
    {
        while (Client.HasControlOutput || Server.HasControlOutput)
        {
            Carry(Client, Server);
            Carry(Server, Client);
        }
    }

    public void OnRequest(Http2Stream stream, in Http2Request request)
    {
        Accepted = stream;
        stream.Respond(200, baggage: null, endStream: false);
    }

    public void OnResponse(Http2Stream stream, in Http2Response response) => Responses++;

    public void OnData(Http2Stream stream, int offset, int length)
    {
        DataBytes += length;
        stream.Credit(length);
    }

    public void OnEndOfStream(Http2Stream stream)
    {
    }

    public void OnReset(Http2Stream stream, Http2ErrorCode code) => throw new InvalidOperationException($"stream {stream.Id} was reset: {code}");

    public void OnSendWindow(Http2Stream stream)
    {
    }

    public void OnStreamClosed(Http2Stream stream)
    {
    }

    public void OnGoAway(int lastStreamId, Http2ErrorCode code, string debug) => throw new InvalidOperationException($"GOAWAY {code} {debug}");

    public void OnSettings()
    {
    }

    private void Carry(Http2Connection from, Http2Connection to)
    {
        int bytes = from.WriteControl(_wire);
        if (bytes > 0 && to.Receive(_wire.AsSpan(0, bytes), baseOffset: 0) is { IsClosed: true } result)
        {
            throw new InvalidOperationException($"{to.Role}: {result.Code} {result.Text}");
        }
    }
}
