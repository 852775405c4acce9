using System.Globalization;
using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Records;

namespace Ztunnel.Tls.Tests.Records;

/// <summary>The trace of RFC 8448 section 3: bytes that somebody else computed.</summary>
public sealed class Rfc8448Tests
{
    private const string ClientSecret = "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5";
    private const string ServerSecret = "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643";

    private const string ClientData =
        "17 03 03 00 43 a2 3f 70 54 b6 2c 94 d0 af fa fe 82 28 ba 55 cb ef ac ea 42 f9 14 aa 66 bc ab 3f 2b 98 19 a8 a5 b4 6b 39 5b d5 4a 9a 20 44 1e 2b 62 97 4e 1f 5a 62 92 a2 97 70 14 bd 1e 3d ea e6 3a ee bb 21 69 49 15 e4";

    private const string ClientClose = "17 03 03 00 13 c9 87 27 60 65 56 66 b7 4d 7f f1 15 3e fd 6d b6 d0 b0 e3";

    [Fact]
    public void Seal_TheDataOfTheTrace_GivesItsRecords()
    {
        using TlsSession client = Session(TlsRole.Client);
        byte[] record = new byte[TlsSession.HeaderBytes + 50 + TlsSession.TrailerBytes];
        for (int i = 0; i < 50; i++) record[TlsSession.HeaderBytes + i] = (byte)i;
        byte[] close = new byte[TlsSession.ControlBytes];

        int sealedBytes = client.Seal(record, 50);
        int closeBytes = client.WriteCloseNotify(close);

        Assert.Equal(Bytes(ClientData), record[..sealedBytes]);
        Assert.Equal(Bytes(ClientClose), close[..closeBytes]);
    }

    [Fact]
    public void Open_TheRecordsOfTheTrace_GivesItsData()
    {
        using TlsSession server = Session(TlsRole.Server);
        byte[] received = [.. Bytes(ClientData), .. Bytes(ClientClose)];

        OpenResult data = server.Open(received);
        OpenResult end = server.Open(received.AsSpan(data.Consumed));

        Assert.Equal(OpenKind.Data, data.Kind);
        Assert.Equal(Enumerable.Range(0, 50).Select(i => (byte)i), received[data.Offset..(data.Offset + data.Length)]);
        Assert.Equal(OpenKind.CloseNotify, end.Kind);
    }

    private static TlsSession Session(TlsRole role) =>
        RecordForge.Session(role, CipherSuite.Aes128GcmSha256, Convert.FromHexString(ClientSecret), Convert.FromHexString(ServerSecret));

    private static byte[] Bytes(string text) => [.. text.Split(' ').Select(digits => byte.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture))];
}
