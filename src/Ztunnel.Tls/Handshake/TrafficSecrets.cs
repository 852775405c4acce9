using System.Buffers.Text;
using System.Security.Cryptography;

namespace Ztunnel.Tls.Handshake;

/// <summary>
/// The two application traffic secrets of a connection, read from the library's key log: lines "LABEL client-random secret", the latter two in hexadecimal. It is the one door by
/// which OpenSSL hands out what its own record layer would use.
/// </summary>
internal sealed class TrafficSecrets : IDisposable
{
    /// <summary>Length of a SHA-384 secret, the longer of the two suites.</summary>
    internal const int MaxSecretBytes = 48;

    private readonly byte[] _client = new byte[MaxSecretBytes];
    private readonly byte[] _server = new byte[MaxSecretBytes];
    private int _clientBytes;
    private int _serverBytes;

    internal ReadOnlySpan<byte> Client => _client.AsSpan(0, _clientBytes);

    internal ReadOnlySpan<byte> Server => _server.AsSpan(0, _serverBytes);

    /// <summary>Takes the line when it is one of the two; handshake and exporter secrets pass by.</summary>
    internal void Read(ReadOnlySpan<byte> line)
    {
        if (line.StartsWith("CLIENT_TRAFFIC_SECRET_0 "u8)) _clientBytes = Decode(line, _client);
        else if (line.StartsWith("SERVER_TRAFFIC_SECRET_0 "u8)) _serverBytes = Decode(line, _server);
    }

    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(_client);
        CryptographicOperations.ZeroMemory(_server);
        _clientBytes = _serverBytes = 0;
    }

    private static int Decode(ReadOnlySpan<byte> line, Span<byte> secret)
    {
        ReadOnlySpan<byte> text = line[(line.LastIndexOf((byte)' ') + 1)..];
        if (text.Length % 2 != 0 || text.Length / 2 > secret.Length) throw new FormatException($"a secret of {text.Length} digits");

        for (int i = 0; i < text.Length; i += 2)
        {
            if (!Utf8Parser.TryParse(text.Slice(i, 2), out byte value, out int read, 'x') || read != 2) throw new FormatException("a secret that is not hexadecimal");
            secret[i / 2] = value;
        }

        return text.Length / 2;
    }
}
