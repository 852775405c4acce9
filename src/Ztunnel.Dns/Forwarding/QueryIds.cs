using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Ztunnel.Dns.Forwarding;

/// <summary>Numbers that nobody can foresee, drawn from the system's generator in batches. One loop's own.</summary>
internal sealed class QueryIds
{
    private readonly byte[] _numbers = new byte[512];
    private int _next = 512;

    public ushort Next()
    {
        if (_next == _numbers.Length)
        {
            RandomNumberGenerator.Fill(_numbers);
            _next = 0;
        }

        ushort number = BinaryPrimitives.ReadUInt16LittleEndian(_numbers.AsSpan(_next));
        _next += 2;
        return number;
    }
}
