using System.Diagnostics;
using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Sockets;
using Ztunnel.Proxy.Hbone;

namespace Ztunnel.Proxy.Relay;

/// <summary>
/// Bytes that wait for a receiver that is blocked: the only place where the relay copies a payload. Holds no memory while empty.
/// Its bound is the receive window of the stream it belongs to, since credit is given only for bytes that left it (design D5).
/// </summary>
internal sealed class PendingBytes(BufferPool pool)
{
    // Small answers of many streams are common, long queues of one stream are not: chunks start small and grow.
    private const int SmallestChunkBytes = 4 * 1024;
    private const int LargestChunkBytes = 64 * 1024;

    private NativeBuffer?[] _chunks = new NativeBuffer?[4];
    private int _first;
    private int _count;
    private int _start;   // first byte in use of the first chunk
    private int _end;     // first free byte of the last chunk

    /// <summary>Bytes waiting.</summary>
    public int Length { get; private set; }

    public bool IsEmpty => Length == 0;

    /// <summary>Takes a copy of <paramref name="bytes"/> behind what is waiting already.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            NativeBuffer? last = _count == 0 ? null : Chunk(_count - 1);
            if (last is null || _end == last.Length)
            {
                AddChunk(bytes.Length);
                continue;
            }

            int taken = Math.Min(bytes.Length, last.Length - _end);
            bytes[..taken].CopyTo(last.Span[_end..]);
            bytes = bytes[taken..];
            _end += taken;
            Length += taken;
        }
    }

    /// <summary>Keeps payload in <paramref name="pending"/>, but for its first <paramref name="skippedBytes"/> bytes, which have left; made when there is something to keep.</summary>
    public static void Hold(ref PendingBytes? pending, BufferPool pool, NativeBuffer buffer, ReadOnlySpan<PayloadRange> ranges, int skippedBytes)
    {
        foreach (PayloadRange range in ranges)
        {
            int skipped = Math.Min(skippedBytes, range.Length);
            skippedBytes -= skipped;
            if (skipped == range.Length)
                continue;

            pending ??= new PendingBytes(pool);
            pending.Append(buffer.Span.Slice(range.Offset + skipped, range.Length - skipped));
        }
    }

    /// <summary>Writes as much as the socket takes. The result's bytes are those that left in all; its status is that of the last write.</summary>
    public IoResult WriteTo(LoopSocket socket)
    {
        int written = 0;
        while (Length > 0)
        {
            var vectors = new IoVectors();
            AddTo(ref vectors);
            IoResult result = socket.Send(ref vectors);
            if (result.Status != IoStatus.Done)
                return result with { Bytes = written };

            written += result.Bytes;
            Consume(result.Bytes);
        }

        return new IoResult(IoStatus.Done, written, Errno.None);
    }

    /// <summary>The bytes at the front, as far as they lie together.</summary>
    public ReadOnlySpan<byte> Front
    {
        get
        {
            if (_count == 0)
                return default;

            NativeBuffer chunk = Chunk(0);
            return chunk.Span[_start..(_count == 1 ? _end : chunk.Length)];
        }
    }

    /// <summary>Moves as much from the front as <paramref name="destination"/> takes.</summary>
    public int MoveTo(Span<byte> destination)
    {
        int moved = 0;
        while (moved < destination.Length && Length > 0)
        {
            ReadOnlySpan<byte> front = Front;
            int taken = Math.Min(front.Length, destination.Length - moved);
            front[..taken].CopyTo(destination[moved..]);
            Consume(taken);
            moved += taken;
        }

        return moved;
    }

    /// <summary>Forgets the first <paramref name="bytes"/> bytes and gives the memory they were in back.</summary>
    public void Consume(int bytes)
    {
        Debug.Assert(bytes <= Length, $"{bytes} consumed of {Length}");
        Length -= bytes;
        while (bytes > 0)
        {
            int inFirst = Front.Length;
            int taken = Math.Min(bytes, inFirst);
            bytes -= taken;
            _start += taken;
            if (taken == inFirst)
                DropFirst();
        }
    }

    public void Clear()
    {
        while (_count > 0)
            DropFirst();
        Length = 0;
    }

    private void AddTo(ref IoVectors vectors)
    {
        for (int index = 0; index < _count && vectors.Count < IoVectors.Capacity; index++)
        {
            NativeBuffer chunk = Chunk(index);
            int from = index == 0 ? _start : 0;
            int to = index == _count - 1 ? _end : chunk.Length;
            vectors.Add(chunk, from, to - from);
        }
    }

    private NativeBuffer Chunk(int index) => _chunks[(_first + index) % _chunks.Length]!;

    private void AddChunk(int wanted)
    {
        if (_count == _chunks.Length)
            Grow();

        int size = Math.Clamp(Math.Max(wanted, Length), SmallestChunkBytes, LargestChunkBytes);
        _chunks[(_first + _count) % _chunks.Length] = pool.Rent(size);
        _count++;
        _end = 0;
        if (_count == 1)
            _start = 0;
    }

    private void Grow()
    {
        var chunks = new NativeBuffer?[_chunks.Length * 2];
        for (int index = 0; index < _count; index++)
            chunks[index] = Chunk(index);
        _chunks = chunks;
        _first = 0;
    }

    private void DropFirst()
    {
        NativeBuffer chunk = Chunk(0);
        _chunks[_first] = null;
        _first = (_first + 1) % _chunks.Length;
        _count--;
        _start = 0;
        pool.Return(chunk);
    }
}
