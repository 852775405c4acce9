using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Ztunnel.ControlPlane.Ca;

/// <summary>The root key and certificate of the embedded authority, in one PEM file that every process of a local mesh shares.</summary>
/// <remarks>
/// Whoever comes first creates the file: written in full under another name, mode 0600, then linked to its place, which fails if somebody else was faster.
/// So no process ever reads half a file, and two that start together end with the same root.
/// </remarks>
internal sealed class EmbeddedRoot : IDisposable
{
    private const string Subject = "O=cluster.local";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
    private const int MaxFileBytes = 64 * 1024;

    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(3650);

    private EmbeddedRoot(X509Certificate2 certificate, bool isExposed)
    {
        Certificate = certificate;
        IsExposed = isExposed;
    }

    /// <summary>With its private key.</summary>
    public X509Certificate2 Certificate { get; }

    /// <summary>Others than the owner may read the key.</summary>
    public bool IsExposed { get; }

    /// <exception cref="AuthorityException">The file cannot be created or read, or is not what it should be.</exception>
    public static EmbeddedRoot LoadOrCreate(string path, TimeProvider time)
    {
        try
        {
            if (!File.Exists(path)) Create(path, time);
            return Load(path, time);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AuthorityException($"root file {path}: {error.Message}", error);
        }
    }

    private static void Create(string path, TimeProvider time)
    {
        string temporary = $"{path}.{Path.GetRandomFileName()}";
        try
        {
            using (FileStream file = new(temporary, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnerOnly }))
            {
                file.Write(System.Text.Encoding.ASCII.GetBytes(Generate(time)));
                file.Flush(flushToDisk: true);
            }
            File.Move(temporary, path, overwrite: false);
        }
        catch (IOException) when (File.Exists(path))
        {
            // Another process was faster: its root is the root.
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    private static string Generate(TimeProvider time)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new(Subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        DateTimeOffset now = time.GetUtcNow();
        using X509Certificate2 certificate = request.CreateSelfSigned(now - CertificateIssuing.Backdating, now + Lifetime);
        return $"{key.ExportPkcs8PrivateKeyPem()}\n{certificate.ExportCertificatePem()}\n";
    }

    private static EmbeddedRoot Load(string path, TimeProvider time)
    {
        if (new FileInfo(path).Length > MaxFileBytes) throw new AuthorityException($"root file {path}: larger than {MaxFileBytes} bytes, so it is something else");

        string pem = File.ReadAllText(path);
        X509Certificate2 certificate;
        try
        {
            certificate = X509Certificate2.CreateFromPem(pem, pem);
        }
        catch (Exception error) when (error is CryptographicException or ArgumentException)
        {
            throw new AuthorityException(
                $"root file {path}: expected a PEM private key and its certificate ({error.Message}). Delete the file to have a new root made; every process that uses it must then be restarted", error);
        }
        try
        {
            if (certificate.Extensions.OfType<X509BasicConstraintsExtension>().FirstOrDefault() is not { CertificateAuthority: true })
                throw new AuthorityException($"root file {path}: the certificate is not one of an authority");
            if (certificate.NotAfter.ToUniversalTime() <= time.GetUtcNow())
                throw new AuthorityException($"root file {path}: the certificate expired at {certificate.NotAfter.ToUniversalTime():u}");
            // Every leaf names its issuer by it: without it each signing would fail later, far from the cause.
            if (!certificate.Extensions.OfType<X509SubjectKeyIdentifierExtension>().Any())
                throw new AuthorityException($"root file {path}: the certificate has no subject key identifier, which an authority's must have");
            return new EmbeddedRoot(certificate, (File.GetUnixFileMode(path) & Others) != 0);
        }
        catch
        {
            certificate.Dispose();
            throw;
        }
    }

    public void Dispose() => Certificate.Dispose();
}
