using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;

namespace Ztunnel.Tls.Revocation;

/// <summary>
/// The revocation lists of one file (control-path 7.9), immutable. They are applied to a path that is already verified: no certificate of it below the anchor may be named by a list that
/// its issuer has signed. An issuer without a list revokes nothing, and a list counts beyond its next update.
/// </summary>
/// <remarks>
/// Applied by us and not by the library's X509_STORE, which would take one list for each name: while a root is rotated under its old name, both roots' lists matter. It also leaves the
/// contexts alone when a list changes, and judges live tunnels and new ones by the same words, without a clock: that a certificate has expired meanwhile cannot hide that it is revoked.
/// </remarks>
public sealed class RevocationSet
{
    private const string Label = "X509 CRL";
    private const string Begin = $"-----BEGIN {Label}-----";
    private const byte SequenceTag = 0x30;

    private readonly ImmutableArray<RevocationList> _lists;

    private RevocationSet(ImmutableArray<RevocationList> lists)
    {
        _lists = lists;
        RevokedCount = lists.Sum(static list => (long)list.Count);
        NextUpdate = lists.Min(static list => list.NextUpdate);
    }

    /// <summary>Nothing is revoked.</summary>
    public static RevocationSet Empty { get; } = new([]);

    public int ListCount => _lists.Length;

    /// <summary>Entries of all lists together.</summary>
    public long RevokedCount { get; }

    /// <summary>The earliest time at which an issuer meant to have replaced one of the lists; null when none says.</summary>
    public DateTimeOffset? NextUpdate { get; }

    /// <summary>Reads a file: PEM with any number of lists among other blocks, or one list in DER. An empty file, or one without a list, revokes nothing.</summary>
    /// <exception cref="FormatException">It is something else, or a list in it cannot be applied; nothing of such a file is used. The message says which list and why.</exception>
    public static RevocationSet Read(ReadOnlySpan<byte> file)
    {
        if (file.IsEmpty) return Empty;
        if (file[0] == SequenceTag) return new RevocationSet([ReadList(file.ToArray(), number: 1)]);
        if (file.IndexOfAnyExceptInRange((byte)0, (byte)0x7F) >= 0) throw new FormatException("neither PEM nor a certificate revocation list in DER");

        string text = Encoding.ASCII.GetString(file);
        if (!text.Contains("-----BEGIN ", StringComparison.Ordinal) && !string.IsNullOrWhiteSpace(text)) throw new FormatException("neither PEM nor a certificate revocation list in DER");
        return ReadPem(text);
    }

    /// <summary>Whether a certificate of the path has been revoked by the next one on it.</summary>
    /// <param name="path">DER, leaf first, anchor last.</param>
    public bool Revokes(ImmutableArray<ReadOnlyMemory<byte>> path)
    {
        if (_lists.IsEmpty) return false;
        for (int i = 0; i < path.Length - 1; i++)
        {
            if (!CertificateHead.TryRead(path[i].Span, out CertificateHead certificate)) continue;
            foreach (RevocationList list in _lists)
            {
                if (list.Names(certificate) && list.IsSignedBy(path[i + 1])) return true;
            }
        }

        return false;
    }

    private static RevocationSet ReadPem(string text)
    {
        var lists = ImmutableArray.CreateBuilder<RevocationList>();
        ReadOnlySpan<char> rest = text;
        while (PemEncoding.TryFind(rest, out PemFields fields))
        {
            if (rest[fields.Label] is Label)
            {
                byte[] der = new byte[fields.DecodedDataLength];
                Convert.TryFromBase64Chars(rest[fields.Base64Data], der, out _);
                lists.Add(ReadList(der, lists.Count + 1));
            }

            rest = rest[fields.Location.End..];
        }

        // A block that is cut off or has a wrong character is none for the reader; left out silently, what it names would pass.
        int begun = text.AsSpan().Count(Begin);
        return begun == lists.Count ? new RevocationSet(lists.DrainToImmutable()) : throw new FormatException($"{begun} lists are begun, but only {lists.Count} of them are whole PEM blocks");
    }

    private static RevocationList ReadList(byte[] der, int number)
    {
        try
        {
            return RevocationList.Read(der);
        }
        catch (FormatException unusable)
        {
            throw new FormatException($"list {number}: {unusable.Message}", unusable);
        }
    }
}
