using System.Security.Cryptography;
using Ztunnel.Tls.Interop;

namespace Ztunnel.Tls.Records;

/// <summary>One of the two suites we negotiate: its numbers, its hash, and the library's cipher, fetched once for the process.</summary>
internal sealed class CipherSuite
{
    internal static readonly CipherSuite Aes128GcmSha256 = new(0x1301, "TLS_AES_128_GCM_SHA256", "AES-128-GCM", keyBytes: 16, HashAlgorithmName.SHA256, secretBytes: 32);
    internal static readonly CipherSuite Aes256GcmSha384 = new(0x1302, "TLS_AES_256_GCM_SHA384", "AES-256-GCM", keyBytes: 32, HashAlgorithmName.SHA384, secretBytes: 48);

    private readonly Lazy<nint> _cipher;

    private CipherSuite(ushort id, string name, string algorithm, int keyBytes, HashAlgorithmName hash, int secretBytes)
    {
        Id = id;
        Name = name;
        KeyBytes = keyBytes;
        Hash = hash;
        SecretBytes = secretBytes;
        // Never freed: it lives as long as the process, and every key change uses it.
        _cipher = new Lazy<nint>(() =>
        {
            nint cipher = LibCrypto.EVP_CIPHER_fetch(0, algorithm, 0);
            return cipher != 0 ? cipher : throw new OpenSslException($"this OpenSSL has no {algorithm}");
        });
    }

    internal ushort Id { get; }

    internal string Name { get; }

    internal int KeyBytes { get; }

    internal HashAlgorithmName Hash { get; }

    internal int SecretBytes { get; }

    /// <summary>The library's EVP_CIPHER.</summary>
    internal nint Cipher => _cipher.Value;

    internal static CipherSuite FromId(ushort id) => id switch
    {
        0x1301 => Aes128GcmSha256,
        0x1302 => Aes256GcmSha384,
        _ => throw new OpenSslException($"the TLS library negotiated suite {id:x4}, which was not offered"),
    };
}
