using System.Buffers.Binary;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Dns.Serving;

/// <summary>
/// One client over TCP (RFC 1035 4.2.2, RFC 7766): queries behind their length, any number one after the other, answered as the answers come.
/// While 32 wait, or much is unsent, nothing more is read; without a query for five seconds it is closed. One loop; loop thread only.
/// </summary>
internal sealed class StreamClient : ISocketHandler
{
    private const int LengthBytes = 2;
    private const int FirstBufferBytes = 1024;
    private const int MostWaiting = 32; // data-path 7.1
    private const int MostUnsentBytes = 128 * 1024;

    private static readonly TimeSpan IdleLimit = TimeSpan.FromSeconds(5);

    private readonly DnsLoop _home;
    private readonly LoopSocket _socket;
    private readonly LoopTimer _idle;
    private byte[] _input = new byte[FirstBufferBytes];
    private int _inputLength;
    private byte[] _output = [];
    private int _outputStart;
    private int _outputEnd;
    private int _waiting;
    private bool _hasEnded;
    private bool _isProcessing;

    public StreamClient(DnsLoop home, LoopSocket socket)
    {
        _home = home;
        _socket = socket;
        _idle = new LoopTimer(home.Loop, static state => ((StreamClient)state!).OnIdle(), this);
        _idle.Arm(IdleLimit);
        socket.Handler = this;
    }

    public void OnReadable() => Process();

    public void OnWritable()
    {
        Flush();
        Process();
    }

    public void OnHangup()
    {
        if (_waiting == 0)
            Close();
    }

    /// <summary>An answer that was waited for; an empty one stands for none.</summary>
    public void Complete(ReadOnlySpan<byte> answer)
    {
        _waiting--;
        if (_socket.IsClosed)
            return;
        Append(answer);
        Flush();
        Process();
    }

    public void Close()
    {
        if (_socket.IsClosed)
            return;
        _idle.Cancel();
        _socket.Dispose();
        _home.Forget(this);
    }

    private bool IsFull => _waiting >= MostWaiting || _outputEnd - _outputStart >= MostUnsentBytes;

    private void Process()
    {
        // An answer that is there at once calls back into here.
        if (_isProcessing)
            return;
        _isProcessing = true;
        while (!_socket.IsClosed)
        {
            TakeQueries();
            if (IsFull || _hasEnded || !Receive())
                break;
        }

        _isProcessing = false;
        if (_hasEnded && _waiting == 0 && _outputStart == _outputEnd)
            Close();
    }

    // False when there is nothing to read now.
    private bool Receive()
    {
        IoResult read = _socket.Receive(_input.AsSpan(_inputLength));
        switch (read.Status)
        {
            case IoStatus.Done:
                _inputLength += read.Bytes;
                return true;
            case IoStatus.EndOfStream:
                _hasEnded = true;
                return false;
            case IoStatus.Failed:
                Close();
                return false;
            default:
                return false;
        }
    }

    private void TakeQueries()
    {
        int taken = 0;
        while (!IsFull && _inputLength - taken >= LengthBytes)
        {
            int length = BinaryPrimitives.ReadUInt16BigEndian(_input.AsSpan(taken));
            if (_inputLength - taken - LengthBytes < length)
                break;
            _idle.Arm(IdleLimit);
            _waiting++;
            int answered = _home.Answer(_input.AsSpan(taken + LengthBytes, length), new ReplyTo(this), out Span<byte> answer);
            taken += LengthBytes + length;
            if (answered == DnsLoop.Later)
                continue;
            _waiting--;
            Append(answer[..answered]);
        }

        _input.AsSpan(taken, _inputLength - taken).CopyTo(_input);
        _inputLength -= taken;
        MakeRoom();
        Flush();
    }

    // The buffer holds the message that is coming in; a long one is an exception.
    private void MakeRoom()
    {
        int needed = _inputLength < LengthBytes ? FirstBufferBytes : Math.Max(FirstBufferBytes, LengthBytes + BinaryPrimitives.ReadUInt16BigEndian(_input));
        if (needed > _input.Length || (needed < _input.Length && _inputLength <= needed && needed == FirstBufferBytes))
            Array.Resize(ref _input, needed);
    }

    private void Append(ReadOnlySpan<byte> answer)
    {
        if (answer.IsEmpty)
            return;
        int needed = LengthBytes + answer.Length;
        if (_output.Length - _outputEnd < needed)
        {
            int unsent = _outputEnd - _outputStart;
            byte[] larger = unsent + needed > _output.Length ? new byte[Math.Max(FirstBufferBytes, (unsent + needed) * 2)] : _output;
            _output.AsSpan(_outputStart, unsent).CopyTo(larger);
            (_output, _outputStart, _outputEnd) = (larger, 0, unsent);
        }

        BinaryPrimitives.WriteUInt16BigEndian(_output.AsSpan(_outputEnd), (ushort)answer.Length);
        answer.CopyTo(_output.AsSpan(_outputEnd + LengthBytes));
        _outputEnd += needed;
    }

    private void Flush()
    {
        while (_outputStart < _outputEnd && !_socket.IsClosed)
        {
            IoResult sent = _socket.Send(_output.AsSpan(_outputStart, _outputEnd - _outputStart));
            if (sent.Status == IoStatus.Failed)
            {
                Close();
                return;
            }

            if (!sent.IsDone)
                return;
            _outputStart += sent.Bytes;
        }

        _outputStart = _outputEnd = 0;
    }

    // Whoever waits for us is not idle; whoever does not read what was sent is.
    private void OnIdle()
    {
        if (_waiting > 0)
            _idle.Arm(IdleLimit);
        else
            Close();
    }
}
