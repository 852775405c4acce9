using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Ztunnel.ControlPlane.Files;

namespace Ztunnel.ControlPlane.Grpc;

/// <summary>The roots that a control-plane server must chain to: a file, PEM text, or those of the operating system (XDS_ROOT_CA, CA_ROOT_CA).</summary>
/// <remarks>A value is taken by its form, not by what exists at start (control-path 12, W-12): a file may appear later.</remarks>
public sealed class TrustRoots
{
    private const string PemStart = "-----BEGIN";
    private const string CertificateLabel = "CERTIFICATE";

    private readonly string? _path;
    private readonly string? _pem;

    private TrustRoots(string? path, string? pem)
    {
        _path = path;
        _pem = pem;
    }

    /// <summary>True for the trust store of the operating system.</summary>
    public bool IsSystem => _path is null && _pem is null;

    public static TrustRoots Parse(string value) =>
        value == "SYSTEM" ? new TrustRoots(null, null)
        : value.StartsWith(PemStart, StringComparison.Ordinal) ? new TrustRoots(null, value)
        : new TrustRoots(value, null);

    /// <summary>Changes when the file does; the same for ever for the other kinds.</summary>
    /// <exception cref="GrpcException">The file cannot be opened.</exception>
    internal FileSignature ReadSignature()
    {
        if (_path is null) return default;
        try
        {
            return FileSignature.Read(_path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(error);
        }
    }

    /// <summary>Reads the roots now. Empty for the operating system's.</summary>
    /// <exception cref="GrpcException">The file cannot be read, or holds no certificate that can be.</exception>
    internal X509Certificate2Collection Load(out int skipped)
    {
        skipped = 0;
        X509Certificate2Collection roots = [];
        if (IsSystem) return roots;

        ReadOnlySpan<char> rest = _pem ?? ReadFile();
        while (PemEncoding.TryFind(rest, out PemFields fields))
        {
            if (rest[fields.Label] is CertificateLabel && !TryAdd(rest[fields.Base64Data], roots)) skipped++;
            rest = rest[fields.Location.End..];
        }
        return roots.Count > 0 ? roots : throw new GrpcException(GrpcStatusCode.Unavailable, $"{this}: no PEM certificate in it");
    }

    private static bool TryAdd(ReadOnlySpan<char> base64, X509Certificate2Collection roots)
    {
        try
        {
            roots.Add(X509CertificateLoader.LoadCertificate(Convert.FromBase64String(base64.ToString())));
            return true;
        }
        catch (CryptographicException)
        {
            return false;   // one bad block must not take the good ones with it
        }
    }

    private string ReadFile()
    {
        try
        {
            return File.ReadAllText(_path!);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(error);
        }
    }

    private GrpcException Unreadable(Exception error) => new(GrpcStatusCode.Unavailable, $"{this} cannot be read: {error.Message}", error);

    public override string ToString() => IsSystem ? "the system's trust store" : _path is null ? "the root certificates given as text" : $"root certificate file {_path}";
}
