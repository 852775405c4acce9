using System.Threading.Channels;
using Ztunnel.Istiod.Identity;
using Ztunnel.Istiod.Server;
using Ztunnel.Protos.Discovery;

namespace Ztunnel.Istiod.Ads;

/// <summary>One xDS stream that is served as istiod would: requests and changes of the mesh are taken one after the other.</summary>
internal sealed class AdsStream(GrpcCall call, IstiodServer istiod)
{
    private const int InvalidArgument = 3;
    private const int PermissionDenied = 7;

    // What happens to the stream: a request of the client, null when it has ended; or a word that the mesh is another one.
    private readonly Channel<(DeltaDiscoveryRequest? Request, bool MeshChanged)> _events = Channel.CreateUnbounded<(DeltaDiscoveryRequest?, bool)>();
    private readonly TaskCompletionSource _recycled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private AdsSession? _session;

    /// <summary>The mesh is another one.</summary>
    public void OnMeshChanged() => _events.Writer.TryWrite((null, true));

    /// <summary>Ends the stream in order, as a server does that wants its clients to spread.</summary>
    public void Recycle() => _recycled.TrySetResult();

    /// <summary>Resets the connection.</summary>
    public void Abort() => call.Http.Abort();

    public async Task ServeAsync(TokenClaims? caller)
    {
        Task reading = ReadAsync();
        try
        {
            while (true)
            {
                Task<(DeltaDiscoveryRequest? Request, bool MeshChanged)> next = _events.Reader.ReadAsync(call.Aborted).AsTask();
                if (await Task.WhenAny(next, _recycled.Task) == _recycled.Task) return;
                (DeltaDiscoveryRequest? request, bool meshChanged) = await next;
                if (request is null && !meshChanged) return;
                await SendAsync(request is null ? _session?.OnMesh(istiod.Resources) ?? [] : Answer(request, caller));
            }
        }
        finally
        {
            // Reading ends with the call, which ends when this returns.
            _ = reading.ContinueWith(static over => _ = over.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    private IEnumerable<DeltaDiscoveryResponse> Answer(DeltaDiscoveryRequest request, TokenClaims? caller)
    {
        if (_session is null)
        {
            if (string.IsNullOrEmpty(request.Node?.Id)) throw new GrpcRefusal(InvalidArgument, "missing node information");
            if (caller is not null && Metadata(request.Node, "NAMESPACE") != caller.Namespace)
                throw new GrpcRefusal(PermissionDenied, $"mismatched namespace {Metadata(request.Node, "NAMESPACE")} vs {caller.Namespace}");
            _session = new AdsSession(Metadata(request.Node, "NODE_NAME"));
        }

        istiod.Record(request);
        return _session.OnRequest(request, istiod.Resources);
    }

    private async Task SendAsync(IEnumerable<DeltaDiscoveryResponse> responses)
    {
        foreach (DeltaDiscoveryResponse response in istiod.Script.Play(responses))
        {
            await istiod.Script.WaitAsync(call.Aborted);
            await call.WriteAsync(response);
        }
    }

    private async Task ReadAsync()
    {
        try
        {
            while (await call.ReadAsync(DeltaDiscoveryRequest.Parser) is { } request) _events.Writer.TryWrite((request, false));
            _events.Writer.TryWrite((null, false));
        }
        catch (Exception failure)
        {
            // Told to whoever waits for the next event.
            _events.Writer.TryComplete(failure);
        }
    }

    private static string Metadata(Node node, string key) => node.Metadata is { } metadata && metadata.Fields.TryGetValue(key, out var value) ? value.StringValue : "";
}
