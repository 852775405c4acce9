using System.Globalization;
using System.Numerics;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Ztunnel.Tls.Certificates;

namespace Ztunnel.Http.Dump;

/// <summary>Certificates as istioctl reads them; never keys.</summary>
internal static class CertificateJson
{
    // What the existing program puts into a line; readers do not care, comparisons of dumps do.
    private const int PemLineCharacters = 60;

    public static void Write(Utf8JsonWriter json, CertificateStatus status)
    {
        json.WriteStartObject();
        json.WriteStartArray("certChain");
        if (status.Certificate is { } certificate)
        {
            Write(json, certificate.Leaf);
            foreach (ReadOnlyMemory<byte> intermediate in certificate.Intermediates)
                Write(json, intermediate);
        }

        json.WriteEndArray();
        json.WriteString("identity", status.Identity.ToString());
        json.WriteStartArray("rootCerts");
        foreach (ReadOnlyMemory<byte> root in status.Certificate?.Roots ?? [])
            Write(json, root);
        json.WriteEndArray();
        json.WriteString("state", status.State == CertificateState.Unavailable ? $"Unavailable: {status.Error}" : status.State.ToString());
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, ReadOnlyMemory<byte> der)
    {
        using X509Certificate2 certificate = X509CertificateLoader.LoadCertificate(der.Span);
        json.WriteStartObject();
        json.WriteString("expirationTime", Time(certificate.NotAfter));
        // The text of the PEM file in base 64 once more.
        json.WriteBase64String("pem", Encoding.ASCII.GetBytes(Pem(der.Span)));
        json.WriteString("serialNumber", new BigInteger(certificate.SerialNumberBytes.Span, isUnsigned: true, isBigEndian: true).ToString(CultureInfo.InvariantCulture));
        json.WriteString("validFrom", Time(certificate.NotBefore));
        json.WriteEndObject();
    }

    private static string Pem(ReadOnlySpan<byte> der)
    {
        var text = new StringBuilder("-----BEGIN CERTIFICATE-----\n");
        foreach (char[] line in Convert.ToBase64String(der).Chunk(PemLineCharacters))
            text.Append(line).Append('\n');
        return text.Append("-----END CERTIFICATE-----\n").ToString();
    }

    private static string Time(DateTime time) => time.ToUniversalTime().ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
}
