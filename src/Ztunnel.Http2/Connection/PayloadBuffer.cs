using System.Buffers;

namespace Ztunnel.Http2.Connection;

/// <summary>Collects a payload that arrives in parts. Rented while parts are missing; grows with what has arrived, never with what was announced.</summary>
internal struct PayloadBuffer
{
    private byte[]? _bytes;

    public int Length { get; private set; }

    public readonly ReadOnlySpan<byte> Span => _bytes.AsSpan(0, Length);

    public void Append(ReadOnlySpan<byte> part)
    {
        if (_bytes is null || _bytes.Length - Length < part.Length)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(64, Math.Max(Length + part.Length, Length * 2)));
            Span.CopyTo(larger);
            if (_bytes is not null)
                ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = larger;
        }
        part.CopyTo(_bytes.AsSpan(Length));
        Length += part.Length;
    }

    public void Release()
    {
        if (_bytes is not null)
            ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = null;
        Length = 0;
    }
}
