using System.Globalization;
using Microsoft.Extensions.Logging;
using Ztunnel.InPod.Pods;
using Ztunnel.Linux;
using Ztunnel.Linux.Namespaces;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.InPod.Zds;

/// <summary>
/// One connection to the node agent (control-path 8.4). Each request gets exactly one answer, in order and in time; nothing is ever sent unasked.
/// Until the snapshot is complete, pods are only noted and started; with its end those that it did not name are gone.
/// </summary>
internal sealed class ZdsSession(ZdsLink link, PodSupervisor pods, TimeProvider time, ILogger log)
{
    // The agent waits for 5 s, and there is no request id: a later answer would count for its next request.
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(4.5);

    // The uids of the snapshot; null once it is complete.
    private HashSet<string>? _snapshot = new(StringComparer.Ordinal);

    /// <summary>Whether the snapshot was completed and answered.</summary>
    public bool IsSnapshotHandled { get; private set; }

    /// <summary>Serves the connection until it ends, for whatever reason. What runs, stays.</summary>
    /// <param name="snapshotHandled">Called after the answer to the end of the snapshot.</param>
    /// <param name="stopping">Ends the connection.</param>
    public async Task RunAsync(Action snapshotHandled, CancellationToken stopping)
    {
        using CancellationTokenRegistration ended = stopping.Register(static link => ((ZdsLink)link!).Shutdown(), link);
        if (!Send(ZdsMessages.Hello))
            return;
        while (true)
        {
            using ZdsPacket packet = await link.ReceiveAsync().ConfigureAwait(false);
            if (!packet.IsMessage)
            {
                TellEnd(packet.Message.Result, stopping.IsCancellationRequested);
                return;
            }

            long arrived = time.GetTimestamp();
            (byte[] answer, bool goesOn) = await AnswerAsync(packet, stopping).ConfigureAwait(false);
            TimeSpan elapsed = time.GetElapsedTime(arrived);
            if (elapsed > AnswerLimit)
            {
                ZdsLog.AnswerTooLate(log, elapsed.TotalSeconds.ToString("0.0 s", CultureInfo.InvariantCulture));
                return;
            }

            if (stopping.IsCancellationRequested || !Send(answer) || !goesOn)
                return;
            if (_snapshot is null && !IsSnapshotHandled)
            {
                IsSnapshotHandled = true;
                snapshotHandled();
            }
        }
    }

    /// <summary>The answer, and whether the connection can still be used after it.</summary>
    private async Task<(byte[] Answer, bool GoesOn)> AnswerAsync(ZdsPacket packet, CancellationToken stopping)
    {
        using var limit = new CancellationTokenSource(AnswerLimit, time);
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stopping);
        try
        {
            return (await HandleAsync(ZdsRequest.Read(packet.Bytes, packet.Message), packet, cancellation.Token).ConfigureAwait(false), GoesOn: true);
        }
        catch (ZdsReadException unreadable)
        {
            ZdsLog.MessageUnreadable(log, unreadable.Message);
            return (ZdsMessages.NotRead(unreadable.Message), GoesOn: false);
        }
        catch (ZdsProtocolException violation)
        {
            ZdsLog.ProtocolViolated(log, violation.Message);
            return (ZdsMessages.NotProcessed(violation.Message), GoesOn: false);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // Too late, or leaving: no answer is sent for either.
            return ([], GoesOn: false);
        }
    }

    private Task<byte[]> HandleAsync(ZdsRequest request, ZdsPacket packet, CancellationToken cancellation) => request switch
    {
        ZdsRequest.Add add => AddAsync(add.Pod, packet, cancellation),
        ZdsRequest.Keep keep => Keep(keep.Uid),
        ZdsRequest.Delete delete => DeleteAsync(delete.Uid, cancellation),
        _ => CompleteSnapshotAsync(cancellation),
    };

    private async Task<byte[]> AddAsync(PodIdentity pod, ZdsPacket packet, CancellationToken cancellation)
    {
        _snapshot?.Add(pod.Uid);
        NetworkNamespace podNamespace;
        try
        {
            podNamespace = NetworkNamespace.Adopt(packet.Message.TakeDescriptor(0));
        }
        catch (LinuxException wrong)
        {
            // Nothing that could be tried again: another descriptor has to come.
            return NotStarted(pod, wrong.Message);
        }

        PodStartResult started = await pods.AddAsync(pod, podNamespace, cancellation).ConfigureAwait(false);
        return started.Failure is { } failure ? NotStarted(pod, failure) : ZdsMessages.Success;
    }

    private Task<byte[]> Keep(string uid)
    {
        if (_snapshot is null)
            throw new ZdsProtocolException("pod keep received after snapshot");
        _snapshot.Add(uid);
        return Task.FromResult(ZdsMessages.Success);
    }

    private async Task<byte[]> DeleteAsync(string uid, CancellationToken cancellation)
    {
        _snapshot?.Remove(uid);
        await pods.RemoveAsync(uid, cancellation).ConfigureAwait(false);
        return ZdsMessages.Success;
    }

    private async Task<byte[]> CompleteSnapshotAsync(CancellationToken cancellation)
    {
        if (_snapshot is not { } named)
            throw new ZdsProtocolException("pod snapshot received already");
        ZdsLog.SnapshotReceived(log);
        await pods.RetainAsync(named, cancellation).ConfigureAwait(false);
        _snapshot = null;
        return ZdsMessages.Success;
    }

    private byte[] NotStarted(PodIdentity pod, string why)
    {
        ZdsLog.StartFailed(log, why, pod.Uid);
        return ZdsMessages.NotStarted(why);
    }

    private bool Send(byte[] message)
    {
        Errno failed = link.Send(message);
        if (failed != Errno.None)
            ZdsLog.SendFailed(log, ErrnoText.Describe(failed));
        return failed == Errno.None;
    }

    private void TellEnd(IoResult result, bool isStopping)
    {
        if (isStopping)
            ZdsLog.DrainRequested(log);
        else if (result.Status == IoStatus.EndOfStream)
            ZdsLog.Ended(log);
        else
            ZdsLog.Broken(log, ErrnoText.Describe(result.Error));
    }
}
