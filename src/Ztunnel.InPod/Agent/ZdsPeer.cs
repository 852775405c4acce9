using Google.Protobuf;
using Ztunnel.InPod.Pods;
using Ztunnel.InPod.Zds;
using Ztunnel.Linux;
using Ztunnel.Linux.Sockets;
using Ztunnel.Protos.Zds;

namespace Ztunnel.InPod.Agent;

/// <summary>
/// A connected node proxy, seen from the agent: one request at a time, each with exactly one answer. There is no request id, so an answer that is late, or one that nobody asked for, ends the connection.
/// </summary>
internal sealed class ZdsPeer : IAsyncDisposable
{
    // What the Istio CNI node agent grants (istio-integration 3.4).
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(5);

    private readonly ZdsLink _link;
    private readonly TimeProvider _time;
    private readonly TaskCompletionSource<string> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // The request that waits for its answer.
    private TaskCompletionSource<string>? _outstanding;

    private ZdsPeer(ZdsLink link, TimeProvider time)
    {
        _link = link;
        _time = time;
    }

    /// <summary>Completes with the reason when the connection is over.</summary>
    public Task<string> Ended => _ended.Task;

    /// <summary>Waits for the proxy's hello. Takes the link over.</summary>
    /// <exception cref="ZdsPeerException">Something else came, or nothing in time.</exception>
    public static async Task<ZdsPeer> GreetAsync(ZdsLink link, TimeProvider time)
    {
        try
        {
            using ZdsPacket hello = await link.ReceiveAsync().WaitAsync(AnswerLimit, time).ConfigureAwait(false);
            if (!hello.IsMessage || !hello.Bytes.AsSpan().SequenceEqual(ZdsMessages.Hello))
                throw new ZdsPeerException(hello.IsMessage ? "its first message is no hello of version 1" : "it left without a hello");
            var peer = new ZdsPeer(link, time);
            _ = peer.ReadAsync();
            return peer;
        }
        catch (TimeoutException)
        {
            await link.DisposeAsync().ConfigureAwait(false);
            throw new ZdsPeerException("it sent no hello within 5 s");
        }
        catch (ZdsPeerException)
        {
            await link.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Names a pod and hands its namespace over; the result is the proxy's complaint, empty for success.</summary>
    /// <exception cref="ZdsPeerException">The connection is over.</exception>
    public Task<string> AddAsync(PodIdentity pod, DescriptorHandle podNamespace)
    {
        var info = new WorkloadInfo { Name = pod.Name, Namespace = pod.Namespace, ServiceAccount = pod.ServiceAccount };
        return AskAsync(new WorkloadRequest { Add = new AddWorkload { Uid = pod.Uid, WorkloadInfo = info } }, podNamespace);
    }

    public Task<string> DeleteAsync(string uid) => AskAsync(new WorkloadRequest { Del = new DelWorkload { Uid = uid } });

    public Task<string> CompleteSnapshotAsync() => AskAsync(new WorkloadRequest { SnapshotSent = new SnapshotSent() });

    public async ValueTask DisposeAsync() => await _link.DisposeAsync().ConfigureAwait(false);

    private async Task<string> AskAsync(WorkloadRequest request, params DescriptorHandle[] descriptors)
    {
        var answer = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        _outstanding = answer;
        if (_ended.Task.IsCompleted || _link.Send(request.ToByteArray(), descriptors) is not Errno.None)
            throw End("it does not take requests");
        try
        {
            Task first = await Task.WhenAny(answer.Task, _ended.Task).WaitAsync(AnswerLimit, _time).ConfigureAwait(false);
            return first == answer.Task ? await answer.Task.ConfigureAwait(false) : throw new ZdsPeerException(await _ended.Task.ConfigureAwait(false));
        }
        catch (TimeoutException)
        {
            throw End("it did not answer within 5 s");
        }
    }

    private async Task ReadAsync()
    {
        while (true)
        {
            using ZdsPacket packet = await _link.ReceiveAsync().ConfigureAwait(false);
            if (!packet.IsMessage)
            {
                End(packet.Message.Result.Status == IoStatus.EndOfStream ? "it closed the connection" : ErrnoText.Describe(packet.Message.Result.Error));
                return;
            }

            if (Interlocked.Exchange(ref _outstanding, null) is not { } asked)
            {
                End("it spoke without being asked");
                return;
            }

            try
            {
                asked.TrySetResult(WorkloadResponse.Parser.ParseFrom(packet.Bytes).Ack?.Error ?? "an answer without ack");
            }
            catch (InvalidProtocolBufferException)
            {
                End("its answer cannot be decoded");
                return;
            }
        }
    }

    private ZdsPeerException End(string reason)
    {
        _ended.TrySetResult(reason);
        _link.Shutdown();
        return new ZdsPeerException(reason);
    }
}

/// <summary>The connection to a node proxy is over; the message says why.</summary>
internal sealed class ZdsPeerException(string message) : Exception(message);
