using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Ztunnel.Testing;

/// <summary>Signs with ecdsa-with-SHA1 (RFC 3279 2.2.3), which the platform's own generators refuse: for certificates that must not be accepted.</summary>
internal sealed class Sha1SignatureGenerator(X509Certificate2 signer) : X509SignatureGenerator
{
    // SEQUENCE { OBJECT IDENTIFIER 1.2.840.10045.4.1 }
    private static readonly byte[] Identifier = [0x30, 9, 6, 7, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 1];

    public override byte[] GetSignatureAlgorithmIdentifier(HashAlgorithmName hashAlgorithm) => Identifier;

    public override byte[] SignData(byte[] data, HashAlgorithmName hashAlgorithm) =>
        signer.GetECDsaPrivateKey()!.SignData(data, HashAlgorithmName.SHA1, DSASignatureFormat.Rfc3279DerSequence);

    protected override PublicKey BuildPublicKey() => signer.PublicKey;
}
