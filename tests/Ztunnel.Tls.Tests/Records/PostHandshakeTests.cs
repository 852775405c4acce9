using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Records;
using static Ztunnel.Tls.Tests.Records.TlsSessionTests;

namespace Ztunnel.Tls.Tests.Records;

/// <summary>Tickets, KeyUpdates and alerts: everything that is not data (RFC 8446 4.6 and 6).</summary>
public sealed class PostHandshakeTests
{
    private static readonly byte[] Ticket = [4, 0, 0, 40, .. new byte[40]];

    [Fact]
    public void Open_TicketsInAnyPieces_AreIgnored()
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create(TlsRole.Client);
        byte[] both = [.. Ticket, .. Ticket];

        Assert.Equal(OpenKind.Control, session.Open(peer.Record(both, ContentType.Handshake)).Kind);
        Assert.Equal(OpenKind.Control, session.Open(peer.Record(both.AsSpan(0, 2), ContentType.Handshake)).Kind);
        Assert.Equal(OpenKind.Control, session.Open(peer.Record(both.AsSpan(2, 30), ContentType.Handshake)).Kind);
        Assert.Equal(OpenKind.Control, session.Open(peer.Record(both.AsSpan(32), ContentType.Handshake)).Kind);
        Assert.False(session.HasControlOutput);
        Assert.Equal(OpenKind.Data, session.Open(peer.Data("x"u8)).Kind);
    }

    [Fact]
    public void Open_DataInTheMiddleOfATicket_IsUnexpectedMessage()
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create(TlsRole.Client);
        session.Open(peer.Record(Ticket.AsSpan(0, 10), ContentType.Handshake));

        ExpectFailure(session, peer, peer.Data("x"u8), TlsAlert.UnexpectedMessage);
    }

    [Theory]
    [InlineData(TlsRole.Server, (byte)4)]
    [InlineData(TlsRole.Server, (byte)1)]
    [InlineData(TlsRole.Client, (byte)0)]
    [InlineData(TlsRole.Client, (byte)2)]
    [InlineData(TlsRole.Client, (byte)13)]
    [InlineData(TlsRole.Client, (byte)20)]
    public void Open_OtherHandshakeMessages_AreUnexpected(TlsRole role, byte type)
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create(role);

        ExpectFailure(session, peer, peer.Record([type, 0, 0, 20, .. new byte[20]], ContentType.Handshake), TlsAlert.UnexpectedMessage);
    }

    [Theory]
    [InlineData(new byte[] { 4, 0, 0, 3, 0, 0, 0 }, TlsAlert.DecodeError)]
    [InlineData(new byte[] { 4, 0xFF, 0xFF, 0xFF, 0, 0 }, TlsAlert.DecodeError)]
    [InlineData(new byte[] { 24, 0, 0, 2, 0, 0 }, TlsAlert.DecodeError)]
    [InlineData(new byte[] { 24, 0, 0, 0 }, TlsAlert.DecodeError)]
    [InlineData(new byte[] { 24, 0, 0, 1, 2 }, TlsAlert.IllegalParameter)]
    [InlineData(new byte[] { 24, 0, 0, 1, 0, 24 }, TlsAlert.UnexpectedMessage)]
    [InlineData(new byte[0], TlsAlert.UnexpectedMessage)]
    public void Open_MalformedHandshakeMessage_Fails(byte[] message, TlsAlert alert)
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create(TlsRole.Client);

        ExpectFailure(session, peer, peer.Record(message, ContentType.Handshake), alert);
    }

    [Fact]
    public void Open_KeyUpdateInTwoPieces_ReadsOnWithTheNextKeys()
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();

        Assert.Equal(OpenKind.Control, session.Open(peer.Record([24, 0, 0], ContentType.Handshake)).Kind);
        Assert.Equal(OpenKind.Control, session.Open(peer.KeyUpdate([1, 0])).Kind);

        Assert.Equal(OpenKind.Data, session.Open(peer.Data("x"u8)).Kind);
    }

    [Fact]
    public void Open_DataInTheMiddleOfAKeyUpdate_IsUnexpectedMessage()
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();
        session.Open(peer.Record([24, 0, 0], ContentType.Handshake));

        ExpectFailure(session, peer, peer.Data("x"u8), TlsAlert.UnexpectedMessage);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Open_KeyUpdate_ReadsOnWithTheNextKeys(bool requested)
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal(OpenKind.Data, session.Open(peer.Data("before"u8)).Kind);
            Assert.Equal(OpenKind.Control, session.Open(peer.KeyUpdate(requested)).Kind);
            Assert.Equal(requested, session.HasControlOutput);
            Assert.Equal(OpenKind.Data, session.Open(peer.Data("after"u8)).Kind);
        }

        byte[] control = new byte[TlsSession.ControlBytes];
        int written = session.WriteControl(control);

        Assert.Equal(requested ? 27 : 0, written);
        Assert.False(session.HasControlOutput);
        // The answer is itself a KeyUpdate that asks for nothing, and our next data is under the next keys.
        if (requested) Assert.Equal(OpenKind.Control, peer.Reader.Open(control).Kind);
        Assert.False(peer.Reader.HasControlOutput);
        byte[] data = Room("data"u8);
        session.Seal(data, 4);
        Assert.Equal(OpenKind.Data, peer.Reader.Open(data).Kind);
    }

    [Fact]
    public void Open_KeyUpdatesInARow_AreBounded()
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();
        for (int i = 0; i < 32; i++) Assert.Equal(OpenKind.Control, session.Open(peer.KeyUpdate(requested: true)).Kind);

        ExpectFailure(session, peer, peer.KeyUpdate(requested: true), TlsAlert.UnexpectedMessage, TlsFailureReason.Flood);
    }

    [Fact]
    public void Seal_AtTheUsageLimit_KeysAreUpdatedBeforeTheNextData()
    {
        (TlsSession client, TlsSession server) = RecordForge.CreatePair(updateAfterRecords: 3);
        byte[] control = new byte[TlsSession.ControlBytes];
        for (int i = 0; i < 20; i++)
        {
            Assert.Equal(i > 0 && i % 3 == 0, client.HasControlOutput);
            if (client.HasControlOutput) Assert.Equal(OpenKind.Control, server.Open(control.AsSpan(0, client.WriteControl(control))).Kind);
            byte[] record = Room("data"u8);
            client.Seal(record, 4);
            Assert.Equal(OpenKind.Data, server.Open(record).Kind);
        }

        Assert.False(server.HasControlOutput);
    }

    [Fact]
    public void Open_CloseNotify_EndsReadingButNotWriting()
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();
        byte[] close = peer.Record([1, 0], ContentType.Alert);

        Assert.Equal(OpenKind.CloseNotify, session.Open(close).Kind);

        Assert.Equal(new OpenResult(OpenKind.CloseNotify, 100, 0, 0), session.Open(new byte[100]));
        byte[] data = Room("still"u8);
        session.Seal(data, 5);
        Assert.Equal(OpenKind.Data, peer.Reader.Open(data).Kind);
        byte[] end = new byte[TlsSession.ControlBytes];
        Assert.Equal(24, session.WriteCloseNotify(end));
        Assert.Equal(OpenKind.CloseNotify, peer.Reader.Open(end).Kind);
        Assert.Equal(0, session.WriteCloseNotify(end));
        Assert.Throws<InvalidOperationException>(() => session.Seal(data, 5));
    }

    [Theory]
    [InlineData((byte)1)]
    [InlineData((byte)2)]
    public void Open_ErrorAlertOfAnyLevel_EndsTheSessionWithoutAnAnswer(byte level)
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();

        Assert.Equal(OpenKind.Failed, session.Open(peer.Record([level, (byte)TlsAlert.CertificateExpired], ContentType.Alert)).Kind);

        Assert.Equal(new TlsFailure(TlsFailureReason.AlertReceived, "received fatal alert: certificate_expired", TlsAlert.CertificateExpired), session.Failure);
        Assert.False(session.HasControlOutput);
        Assert.Equal(0, session.WriteCloseNotify(new byte[TlsSession.ControlBytes]));
    }

    [Fact]
    public void Open_UserCanceled_IsIgnored()
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();

        Assert.Equal(OpenKind.Control, session.Open(peer.Record([1, (byte)TlsAlert.UserCanceled], ContentType.Alert)).Kind);
        Assert.Equal(OpenKind.Data, session.Open(peer.Data("x"u8)).Kind);
    }

    [Theory]
    [InlineData(new byte[0])]
    [InlineData(new byte[] { 1 })]
    [InlineData(new byte[] { 1, 0, 0 })]
    public void Open_AlertOfAnotherLength_IsDecodeError(byte[] alert)
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();

        ExpectFailure(session, peer, peer.Record(alert, ContentType.Alert), TlsAlert.DecodeError);
    }
}
