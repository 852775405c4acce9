using System.Net;
using System.Net.Sockets;
using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Records;

namespace Ztunnel.Tls.Tests.Peers;

/// <summary>Our handshake and session on a blocking loopback socket: the least that lets a foreign program talk to them. Every read gives up after ten seconds.</summary>
internal sealed class TlsPump : IDisposable
{
    private const int TimeoutMilliseconds = 10_000;

    private readonly Socket _socket;
    private readonly byte[] _received = new byte[8 * TlsSession.MaxRecordBytes];
    private int _start;
    private int _end;

    internal TlsPump(Socket socket)
    {
        _socket = socket;
        _socket.ReceiveTimeout = TimeoutMilliseconds;
        _socket.SendTimeout = TimeoutMilliseconds;
        _socket.NoDelay = true;
    }

    internal TlsSession Session { get; private set; } = null!;

    internal int ControlRecords { get; private set; }

    /// <summary>Whether the peer has closed its side of the connection or reset it, rather than said something.</summary>
    internal bool PeerGone { get; private set; }

    internal static Socket Listen()
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        return listener;
    }

    internal static async Task<TlsPump> AcceptAsync(Socket listener)
    {
        using var timeout = new CancellationTokenSource(TimeoutMilliseconds);
        return new TlsPump(await listener.AcceptAsync(timeout.Token));
    }

    internal static async Task<TlsPump> ConnectAsync(int port)
    {
        using var timeout = new CancellationTokenSource(TimeoutMilliseconds);
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, port, timeout.Token);
        return new TlsPump(socket);
    }

    /// <summary>Runs a handshake to its end. Null: it succeeded and there is a session.</summary>
    internal TlsFailure? Shake(TlsHandshake handshake)
    {
        using TlsHandshake owned = handshake;
        Flush(handshake);
        while (handshake.Status == HandshakeStatus.InProgress && Receive())
        {
            handshake.Advance(_received.AsSpan(_start.._end), out int consumed);
            _start += consumed;
            Flush(handshake);
        }

        if (handshake.Status == HandshakeStatus.Completed) Session = handshake.TakeSession();
        return handshake.Status == HandshakeStatus.Completed ? null : handshake.Failure ?? new TlsFailure(TlsFailureReason.Internal, "the peer went away");
    }

    internal void Send(ReadOnlySpan<byte> plaintext, int recordBytes = TlsSession.MaxPlaintextBytes)
    {
        Span<byte> record = new byte[TlsSession.HeaderBytes + TlsSession.MaxPlaintextBytes + TlsSession.TrailerBytes];
        while (!plaintext.IsEmpty)
        {
            FlushControl();
            int length = Math.Min(recordBytes, plaintext.Length);
            plaintext[..length].CopyTo(record[TlsSession.HeaderBytes..]);
            SendAll(record[..Session.Seal(record, length)]);
            plaintext = plaintext[length..];
        }
    }

    internal void SendRaw(ReadOnlySpan<byte> bytes) => SendAll(bytes);

    /// <summary>Data until there is as much as wanted, or the other end of the session: then less.</summary>
    internal byte[] Read(int wanted, out OpenKind last) => Read(wanted, int.MaxValue, out last);

    /// <summary>Waits until the peer has sent that many control records in all.</summary>
    internal void ReadControl(int count) => Assert.Empty(Read(1, count, out _));

    private byte[] Read(int wanted, int controlRecords, out OpenKind last)
    {
        var data = new MemoryStream();
        last = OpenKind.Data;
        while (data.Length < wanted && ControlRecords < controlRecords)
        {
            OpenResult result = Session.Open(_received.AsSpan(_start.._end));
            last = result.Kind;
            if (result.Kind == OpenKind.Data) data.Write(_received.AsSpan(_start + result.Offset, result.Length));
            if (result.Kind == OpenKind.Control) ControlRecords++;
            _start += result.Consumed;
            FlushControl();
            if (result.Kind is OpenKind.CloseNotify or OpenKind.Failed) break;
            if (result.Kind == OpenKind.NeedMore && !Receive()) break;
        }

        return data.ToArray();
    }

    /// <summary>Reads to the end of the session and says how it ended.</summary>
    internal OpenKind ReadEnd()
    {
        Read(int.MaxValue, out OpenKind last);
        return last;
    }

    internal void Close()
    {
        byte[] end = new byte[TlsSession.ControlBytes];
        SendAll(end.AsSpan(0, Session.WriteCloseNotify(end)));
    }

    public void Dispose()
    {
        Session?.Dispose();
        _socket.Dispose();
    }

    private bool Receive()
    {
        if (_start > 0)
        {
            _received.AsSpan(_start.._end).CopyTo(_received);
            _end -= _start;
            _start = 0;
        }

        try
        {
            int received = _socket.Receive(_received.AsSpan(_end));
            _end += received;
            PeerGone = received == 0;
        }
        catch (SocketException reset) when (reset.SocketErrorCode == SocketError.ConnectionReset)
        {
            PeerGone = true;
        }

        return !PeerGone;
    }

    private void Flush(TlsHandshake handshake)
    {
        byte[] output = new byte[handshake.PendingOutputBytes];
        SendAll(output.AsSpan(0, handshake.TakeOutput(output)));
    }

    private void FlushControl()
    {
        if (!Session.HasControlOutput) return;
        byte[] control = new byte[TlsSession.ControlBytes];
        SendAll(control.AsSpan(0, Session.WriteControl(control)));
    }

    private void SendAll(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty) bytes = bytes[_socket.Send(bytes)..];
    }
}
