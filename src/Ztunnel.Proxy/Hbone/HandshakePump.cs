using System.Diagnostics.CodeAnalysis;
using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;
using Ztunnel.Proxy.Connections;
using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Records;

namespace Ztunnel.Proxy.Hbone;

/// <summary>What a handshake led to: a session with the bytes that came behind its last record, or an outcome.</summary>
internal readonly record struct HandshakeResult(TlsSession? Session, NativeBuffer? Received, int ReceivedBytes, ConnectionOutcome Outcome, TlsFailure? Failure)
{
    [MemberNotNullWhen(true, nameof(Session))]
    public bool Succeeded => Session is not null;

    /// <summary>Lets go of a session that nobody wants any more.</summary>
    public void Discard(EventLoop loop)
    {
        Session?.Dispose();
        if (Received is { } received)
            loop.Buffers.Return(received);
    }
}

/// <summary>Carries a TLS handshake over a transport of the loop, within a time limit.</summary>
internal static class HandshakePump
{
    // Holds a whole record. A certificate flight larger than this is fed in pieces.
    private const int BufferBytes = TlsSession.MaxRecordBytes + 1024;

    /// <summary>Runs <paramref name="handshake"/> to its end and disposes of it. The transport stays the caller's.</summary>
    public static async ValueTask<HandshakeResult> RunAsync(ITunnelTransport transport, TlsHandshake handshake, HandshakeGate gate, TimeSpan timeout)
    {
        EventLoop loop = transport.Loop;
        long deadline = loop.NowMilliseconds + (long)timeout.TotalMilliseconds;
        NativeBuffer received = loop.Buffers.Rent(BufferBytes);
        int held = 0;
        bool keepReceived = false;
        try
        {
            while (true)
            {
                // One step of public-key work blocks the loop for up to a millisecond (design D2): a burst of handshakes takes turns with the traffic.
                await gate.EnterAsync();
                HandshakeStatus status = handshake.Advance(received.Span[..held], out int consumed);
                received.Span[consumed..held].CopyTo(received.Span);
                held -= consumed;

                if (handshake.PendingOutputBytes > 0)
                {
                    IoResult sent = await SendPendingAsync(transport, handshake, loop.TimeLeft(deadline));
                    if (sent.Status != IoStatus.Done && status != HandshakeStatus.Failed)
                        return Failed(Describe(sent), null);
                }

                switch (status)
                {
                    case HandshakeStatus.Completed:
                        keepReceived = held > 0;
                        return new HandshakeResult(handshake.TakeSession(), keepReceived ? received : null, held, default, null);
                    case HandshakeStatus.Failed:
                        TlsFailure failure = handshake.Failure!;
                        EndReason reason = failure.Reason is TlsFailureReason.IdentityMismatch or TlsFailureReason.TrustDomainMismatch ? EndReason.IdentityRejected
                            : failure.Reason == TlsFailureReason.CertificateRevoked ? EndReason.CertificateRevoked
                            : EndReason.TlsFailed;
                        return Failed(new ConnectionOutcome(reason, failure.Message), failure);
                }

                if (held == received.Length)
                    return Failed(new ConnectionOutcome(EndReason.TlsFailed, "record larger than TLS allows"), null);

                IoResult read = await transport.ReceiveAsync(received, held, loop.TimeLeft(deadline));
                if (read.Status != IoStatus.Done)
                    return Failed(Describe(read), null);
                held += read.Bytes;
            }
        }
        finally
        {
            handshake.Dispose();
            if (!keepReceived)
                loop.Buffers.Return(received);
        }
    }

    private static async ValueTask<IoResult> SendPendingAsync(ITunnelTransport transport, TlsHandshake handshake, TimeSpan timeout)
    {
        NativeBuffer output = transport.Loop.Buffers.Rent(handshake.PendingOutputBytes);
        int bytes = handshake.TakeOutput(output.Span);
        IoResult result = await transport.SendAllAsync(output, 0, bytes, timeout);
        transport.Loop.Buffers.Return(output);
        return result;
    }

    private static HandshakeResult Failed(ConnectionOutcome outcome, TlsFailure? failure) => new(null, null, 0, outcome, failure);

    private static ConnectionOutcome Describe(in IoResult result) => result.Status == IoStatus.EndOfStream
        ? new ConnectionOutcome(EndReason.TlsFailed, "tls handshake eof")
        : result.Error == Errno.ETIMEDOUT
            ? new ConnectionOutcome(EndReason.SetUpTimedOut, "tls handshake timed out")
            : new ConnectionOutcome(EndReason.TlsFailed, ErrnoText.Describe(result.Error));
}
