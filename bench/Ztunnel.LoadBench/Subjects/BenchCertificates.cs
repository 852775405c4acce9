using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Ztunnel.LoadBench.Subjects;

/// <summary>One authority and two leaves (ECDSA P-256, as mesh certificates are) for the peers, as PEM files in the run's folder.</summary>
internal sealed class BenchCertificates
{
    /// <summary>What two mesh proxies on AES hardware agree on.</summary>
    public const string CipherSuite = "TLS_AES_256_GCM_SHA384";

    public const string ServerName = "server.bench";

    private readonly string _folder;

    private BenchCertificates(string folder)
    {
        _folder = folder;
    }

    public string Root => File("root.pem");

    public string ClientChain => File("client.pem");

    public string ClientKey => File("client.key");

    /// <summary>Certificate and key in one file, as haproxy wants them.</summary>
    public string ClientCombined => File("client.both.pem");

    public string ServerChain => File("server.pem");

    public string ServerKey => File("server.key");

    public string ServerCombined => File("server.both.pem");

    public static BenchCertificates Create(string folder, DateTimeOffset now)
    {
        using ECDsa rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var rootRequest = new CertificateRequest("CN=bench root", rootKey, HashAlgorithmName.SHA256);
        rootRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        rootRequest.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, critical: true));
        using X509Certificate2 root = rootRequest.CreateSelfSigned(now.AddHours(-1), now.AddDays(1));

        var certificates = new BenchCertificates(folder);
        System.IO.File.WriteAllText(certificates.Root, root.ExportCertificatePem());
        certificates.WriteLeaf(root, "client", serial: 1);
        certificates.WriteLeaf(root, "server", serial: 2);
        return certificates;
    }

    private void WriteLeaf(X509Certificate2 root, string name, byte serial)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddUri(new Uri($"spiffe://cluster.local/ns/bench/sa/{name}"));
        names.AddDnsName($"{name}.bench");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        using X509Certificate2 leaf = request.Create(root, root.NotBefore, root.NotAfter, [serial]);
        string chain = leaf.ExportCertificatePem() + "\n";
        string pem = key.ExportPkcs8PrivateKeyPem() + "\n";
        System.IO.File.WriteAllText(File($"{name}.pem"), chain);
        System.IO.File.WriteAllText(File($"{name}.key"), pem);
        System.IO.File.WriteAllText(File($"{name}.both.pem"), chain + pem);
    }

    private string File(string name) => Path.Combine(_folder, name);
}
