using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Text;
using Ztunnel.Testing;
using Ztunnel.Tls.Revocation;

namespace Ztunnel.Tls.Tests.Revocation;

/// <summary>Which files are taken, and what they say (control-path 7.9).</summary>
public sealed class RevocationSetTests
{
    private static readonly TestAuthority Other = TestAuthority.Create("O=other");

    [Theory]
    [InlineData("")]
    [InlineData("  \n\n")]
    public void Read_NothingInIt_RevokesNothing(string text) => Assert.Equal(0, RevocationSet.Read(Encoding.ASCII.GetBytes(text)).ListCount);

    [Fact]
    public void Read_OtherBlocksOnly_RevokesNothing() => Assert.Equal(0, Read(TestMesh.Authority.RootPem).ListCount);

    [Fact]
    public void Read_SeveralListsAmongOtherBlocks_TakesAll()
    {
        string file = $"{TestMesh.Authority.RevokePem(TestMesh.AliceIssued.Leaf)}\n{Other.RootPem}\n# a comment\n{Other.RevokePem()}\n";

        RevocationSet set = Read(file);

        Assert.Equal((2, 1L), (set.ListCount, set.RevokedCount));
        Assert.True(set.Revokes(Path(TestMesh.AliceIssued)));
        Assert.False(set.Revokes(Path(TestMesh.BobIssued)));
    }

    [Fact]
    public void Read_OneListInDer_IsTaken()
    {
        DateTimeOffset nextUpdate = new(2031, 5, 6, 7, 8, 9, TimeSpan.Zero);

        RevocationSet set = RevocationSet.Read(TestMesh.Authority.Revoke([TestMesh.AliceIssued.Leaf], nextUpdate: nextUpdate));

        Assert.True(set.Revokes(Path(TestMesh.AliceIssued)));
        Assert.Equal(nextUpdate, set.NextUpdate);
    }

    [Theory]
    [InlineData("text", "neither PEM nor a certificate revocation list in DER")]
    [InlineData("bytes", "neither PEM nor a certificate revocation list in DER")]
    [InlineData("der of something else", "list 1: not a certificate revocation list")]
    [InlineData("der cut off", "list 1: not a certificate revocation list")]
    [InlineData("pem without end", "2 lists are begun, but only 1 of them are whole PEM blocks")]
    [InlineData("pem with a wrong character", "2 lists are begun, but only 1 of them are whole PEM blocks")]
    [InlineData("second list broken", "list 2: not a certificate revocation list")]
    public void Read_Garbage_SaysWhatIsWrong(string which, string message)
    {
        string good = TestMesh.Authority.RevokePem();
        byte[] der = TestMesh.Authority.Revoke([]);
        byte[] file = which switch
        {
            "text" => "serial 12 is revoked"u8.ToArray(),
            "bytes" => [0xFF, 0xFE, 0, 1],
            "der of something else" => TestMesh.Authority.Root.RawData,
            "der cut off" => der[..^10],
            "pem without end" => Encoding.ASCII.GetBytes(good + "\n" + good[..^10]),
            "pem with a wrong character" => Encoding.ASCII.GetBytes(good + "\n" + good.Insert(60, "!")),
            _ => Encoding.ASCII.GetBytes(good + "\n" + PemEncoding.WriteString("X509 CRL", TestMesh.Authority.Root.RawData)),
        };

        Assert.Contains(message, Assert.Throws<FormatException>(() => RevocationSet.Read(file)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("2.5.29.27", false, "the critical extension 2.5.29.27")]
    [InlineData("2.5.29.28", true, "an indirect list")]
    [InlineData("2.5.29.28", false, null)]
    public void Read_ListOfAnotherKind_IsRefused(string extension, bool indirect, string? message)
    {
        byte[] der = WithCriticalExtension(extension, indirect);

        if (message is null) Assert.Equal(1, RevocationSet.Read(der).ListCount);
        else Assert.Contains(message, Assert.Throws<FormatException>(() => RevocationSet.Read(der)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Revokes_ListOfAnotherAuthorityWithTheSameName_DoesNotCount()
    {
        TestAuthority namesake = TestAuthority.Create(TestMesh.Authority.Root.Subject);

        Assert.False(RevocationSet.Read(namesake.Revoke([TestMesh.AliceIssued.Leaf])).Revokes(Path(TestMesh.AliceIssued)));
        // While a root is rotated under its name, the lists of both matter, in either order.
        Assert.True(Read($"{namesake.RevokePem()}\n{TestMesh.Authority.RevokePem(TestMesh.AliceIssued.Leaf)}").Revokes(Path(TestMesh.AliceIssued)));
        Assert.True(Read($"{TestMesh.Authority.RevokePem(TestMesh.AliceIssued.Leaf)}\n{namesake.RevokePem()}").Revokes(Path(TestMesh.AliceIssued)));
    }

    [Fact]
    public void Revokes_AuthorityThatMayNotSignLists_DoesNotCount()
    {
        TestAuthority issuer = TestAuthority.Create("O=no lists", usages: System.Security.Cryptography.X509Certificates.X509KeyUsageFlags.KeyCertSign);
        IssuedCertificate leaf = issuer.Issue(TestMesh.Alice.ToString());

        Assert.False(RevocationSet.Read(issuer.Revoke([leaf.Leaf])).Revokes(Path(leaf)));
    }

    [Fact]
    public void Revokes_ListPastItsNextUpdate_StillCounts()
    {
        DateTimeOffset longAgo = DateTimeOffset.UtcNow.AddYears(-2);

        Assert.True(RevocationSet.Read(TestMesh.Authority.Revoke([TestMesh.AliceIssued.Leaf], longAgo, longAgo.AddDays(1))).Revokes(Path(TestMesh.AliceIssued)));
    }

    [Fact]
    public void Revokes_IntermediateOfSeveralLevels_CoversAllBelow()
    {
        TestAuthority root = TestAuthority.CreateRsa();
        TestAuthority upper = root.CreateIntermediate("O=upper");
        TestAuthority lower = upper.CreateIntermediate("O=lower");
        IssuedCertificate below = lower.Issue(TestMesh.Alice.ToString());
        IssuedCertificate beside = root.Issue(TestMesh.Bob.ToString());

        foreach (byte[] list in new[] { root.Revoke([upper.Certificate]), upper.Revoke([lower.Certificate]), lower.Revoke([below.Leaf]) })
        {
            Assert.True(RevocationSet.Read(list).Revokes(Path(below)));
            Assert.False(RevocationSet.Read(list).Revokes(Path(beside)));
        }

        // The number of another issuer's certificate is another certificate's.
        Assert.False(RevocationSet.Read(root.Revoke([below.Leaf])).Revokes(Path(below)));
    }

    private static RevocationSet Read(string file) => RevocationSet.Read(Encoding.ASCII.GetBytes(file));

    private static System.Collections.Immutable.ImmutableArray<ReadOnlyMemory<byte>> Path(IssuedCertificate issued) =>
        [issued.Leaf.RawData, .. issued.Intermediates.Select(static certificate => (ReadOnlyMemory<byte>)certificate.RawData), issued.Root.RawData];

    /// <summary>An unsigned list with one critical extension: signatures are not looked at before a number is met.</summary>
    private static byte[] WithCriticalExtension(string id, bool indirect)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            using (writer.PushSequence())
            {
                writer.WriteInteger(1);
                WriteAlgorithm(writer);
                writer.WriteEncodedValue(TestMesh.Authority.Root.SubjectName.RawData);
                writer.WriteUtcTime(DateTimeOffset.UtcNow);
                using (writer.PushSequence(new Asn1Tag(TagClass.ContextSpecific, 0)))
                using (writer.PushSequence())
                using (writer.PushSequence())
                {
                    writer.WriteObjectIdentifier(id);
                    writer.WriteBoolean(true);
                    using (writer.PushOctetString())
                    {
                        if (id == "2.5.29.28") WriteDistributionPoint(writer, indirect);
                        else writer.WriteInteger(7);
                    }
                }
            }

            WriteAlgorithm(writer);
            writer.WriteBitString(new byte[70]);
        }

        return writer.Encode();
    }

    private static void WriteDistributionPoint(AsnWriter writer, bool indirect)
    {
        using (writer.PushSequence())
        {
            writer.WriteBoolean(true, new Asn1Tag(TagClass.ContextSpecific, 1));
            if (indirect) writer.WriteBoolean(true, new Asn1Tag(TagClass.ContextSpecific, 4));
        }
    }

    private static void WriteAlgorithm(AsnWriter writer)
    {
        using (writer.PushSequence()) writer.WriteObjectIdentifier("1.2.840.10045.4.3.2");
    }
}
