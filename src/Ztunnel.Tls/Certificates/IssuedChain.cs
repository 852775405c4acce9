using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Ztunnel.Mesh.Identity;

namespace Ztunnel.Tls.Certificates;

/// <summary>Whether a leaf must carry the identity that was asked for.</summary>
public enum LeafIdentityCheck
{
    /// <summary>Shared mode: one node asks for many identities and must not mix them up.</summary>
    Required,

    /// <summary>Dedicated mode: the authority decides who we are.</summary>
    Skipped,
}

/// <summary>An authority's answer, taken apart (control-path 7.3): leaf, intermediates to send, roots to trust. All DER.</summary>
public sealed record IssuedChain(ReadOnlyMemory<byte> Leaf, ImmutableArray<ReadOnlyMemory<byte>> Intermediates, ImmutableArray<ReadOnlyMemory<byte>> Roots)
{
    /// <summary>Reads the list of PEM texts.</summary>
    /// <exception cref="CertificateChainException">It cannot be used.</exception>
    public static IssuedChain Parse(SpiffeId identity, IReadOnlyList<string> chain, LeafIdentityCheck leafIdentity)
    {
        if (chain.Count == 0) throw new CertificateChainException($"chain returned from CA is empty for: {identity}");

        byte[] leaf = ReadAll(chain[0], 0)[0];
        using (X509Certificate2 parsed = Load(leaf, 0))
        {
            if (leafIdentity == LeafIdentityCheck.Required && WorkloadCertificate.ReadIdentity(parsed) != identity)
                throw new CertificateChainException($"did not find expected SAN: {identity}");
        }

        if (chain.Count == 1) throw new CertificateChainException($"no root certificate present: the chain returned from CA for {identity} has only the leaf");

        var intermediates = ImmutableArray.CreateBuilder<ReadOnlyMemory<byte>>();
        var roots = ImmutableArray.CreateBuilder<ReadOnlyMemory<byte>>();
        for (int i = 1; i < chain.Count - 1; i++)
        {
            // One certificate an element. Older authorities spread a bundle of several roots over the elements: a self-signed one is never an intermediate.
            byte[] der = ReadAll(chain[i], i)[0];
            using X509Certificate2 parsed = Load(der, i);
            (IsSelfSigned(parsed) ? roots : intermediates).Add(der);
        }

        foreach (byte[] der in ReadAll(chain[^1], chain.Count - 1))
        {
            using X509Certificate2 parsed = Load(der, chain.Count - 1);
            roots.Add(der);
        }

        return new IssuedChain(leaf, intermediates.DrainToImmutable(), roots.DrainToImmutable());
    }

    private static bool IsSelfSigned(X509Certificate2 certificate) =>
        certificate.SubjectName.RawData.AsSpan().SequenceEqual(certificate.IssuerName.RawData);

    private static List<byte[]> ReadAll(string pem, int element)
    {
        List<byte[]> found = [];
        ReadOnlySpan<char> rest = pem;
        while (PemEncoding.TryFind(rest, out PemFields fields))
        {
            if (rest[fields.Label] is "CERTIFICATE")
            {
                byte[] der = new byte[fields.DecodedDataLength];
                Convert.TryFromBase64Chars(rest[fields.Base64Data], der, out _);
                found.Add(der);
            }

            rest = rest[fields.Location.End..];
        }

        return found.Count > 0 ? found : throw new CertificateChainException($"element {element} of the chain returned from CA holds no PEM certificate");
    }

    private static X509Certificate2 Load(byte[] der, int element)
    {
        try
        {
            return X509CertificateLoader.LoadCertificate(der);
        }
        catch (CryptographicException unreadable)
        {
            throw new CertificateChainException($"element {element} of the chain returned from CA is not a certificate: {unreadable.Message}", unreadable);
        }
    }
}

/// <summary>An authority's answer that cannot be used.</summary>
public sealed class CertificateChainException : Exception
{
    public CertificateChainException(string message)
        : base(message)
    {
    }

    public CertificateChainException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
