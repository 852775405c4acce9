using System.Security.Cryptography;
using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Records;

namespace Ztunnel.Tls.Tests.Records;

public sealed class TlsSessionTests
{
    [Theory]
    [InlineData(0, true)]
    [InlineData(1, true)]
    [InlineData(64, false)]
    [InlineData(TlsSession.MaxPlaintextBytes, true)]
    [InlineData(TlsSession.MaxPlaintextBytes, false)]
    public void Seal_ThenOpen_GivesThePlaintextBack(int length, bool aes256)
    {
        (TlsSession client, TlsSession server) = RecordForge.CreatePair(aes256);
        byte[] plaintext = RandomNumberGenerator.GetBytes(length);
        byte[] record = Room(plaintext);

        int recordBytes = client.Seal(record, length);
        OpenResult opened = server.Open(record);

        Assert.Equal(length + TlsSession.HeaderBytes + TlsSession.TrailerBytes, recordBytes);
        Assert.Equal(length == 0 ? OpenKind.Control : OpenKind.Data, opened.Kind);
        Assert.Equal(recordBytes, opened.Consumed);
        Assert.Equal(plaintext, record[opened.Offset..(opened.Offset + opened.Length)]);
    }

    [Fact]
    public void Open_ManyRecordsOfAnIndependentWriter_OpensThemInOrder()
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();
        using TlsSession ours = session;
        using RecordForge theirs = peer;
        var random = new Random(7);
        for (int i = 0; i < 300; i++)
        {
            byte[] content = new byte[1 + random.Next(3000)];
            random.NextBytes(content);
            byte[] received = theirs.Data(content, paddingBytes: random.Next(4) == 0 ? random.Next(500) : 0);

            OpenResult opened = ours.Open(received);

            Assert.Equal(OpenKind.Data, opened.Kind);
            Assert.Equal(content, received[opened.Offset..(opened.Offset + opened.Length)]);
        }
    }

    [Fact]
    public void Open_RecordInPieces_SaysHowMuchItNeeds()
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();
        byte[] record = peer.Data("hello"u8);

        Assert.Equal(new OpenResult(OpenKind.NeedMore, 0, 0, TlsSession.HeaderBytes), session.Open([]));
        Assert.Equal(new OpenResult(OpenKind.NeedMore, 0, 0, TlsSession.HeaderBytes), session.Open(record.AsSpan(0, 4)));
        Assert.Equal(new OpenResult(OpenKind.NeedMore, 0, 0, record.Length), session.Open(record.AsSpan(0, 5)));
        Assert.Equal(new OpenResult(OpenKind.NeedMore, 0, 0, record.Length), session.Open(record.AsSpan(0, record.Length - 1)));
        Assert.Equal(OpenKind.Data, session.Open(record).Kind);
    }

    [Fact]
    public void Open_AnyBitChanged_IsBadRecordMac()
    {
        for (int at = 5; at < 5 + 9 + 17; at++)
        {
            (TlsSession session, RecordForge peer) = RecordForge.Create();
            byte[] record = peer.Data("some data"u8);
            record[at] ^= 0x10;

            ExpectFailure(session, peer, record, TlsAlert.BadRecordMac, TlsFailureReason.BadRecord);
        }
    }

    [Fact]
    public void Open_VersionInTheHeaderChanged_IsBadRecordMac()
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();
        byte[] record = peer.Data("some data"u8);
        record[2] = 1;

        ExpectFailure(session, peer, record, TlsAlert.BadRecordMac, TlsFailureReason.BadRecord);
    }

    [Fact]
    public void Open_ARecordTwice_IsBadRecordMac()
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();
        byte[] record = peer.Data("once"u8);
        byte[] again = [.. record];
        Assert.Equal(OpenKind.Data, session.Open(record).Kind);

        ExpectFailure(session, peer, again, TlsAlert.BadRecordMac, TlsFailureReason.BadRecord);
    }

    [Fact]
    public void Open_ARecordLeftOut_IsBadRecordMac()
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();
        peer.Data("lost"u8);

        ExpectFailure(session, peer, peer.Data("next"u8), TlsAlert.BadRecordMac, TlsFailureReason.BadRecord);
    }

    [Theory]
    [InlineData(new byte[] { 23, 3, 3, 0x41, 0x01 }, TlsAlert.RecordOverflow)]
    [InlineData(new byte[] { 23, 3, 3, 0xFF, 0xFF }, TlsAlert.RecordOverflow)]
    [InlineData(new byte[] { 23, 3, 3, 0, 15 }, TlsAlert.BadRecordMac)]
    [InlineData(new byte[] { 23, 3, 3, 0, 0 }, TlsAlert.BadRecordMac)]
    [InlineData(new byte[] { 20, 3, 3, 0, 1 }, TlsAlert.UnexpectedMessage)]
    [InlineData(new byte[] { 21, 3, 3, 0, 2 }, TlsAlert.UnexpectedMessage)]
    [InlineData(new byte[] { 22, 3, 3, 0, 9 }, TlsAlert.UnexpectedMessage)]
    [InlineData(new byte[] { 99, 3, 3, 0, 9 }, TlsAlert.UnexpectedMessage)]
    public void Open_HeaderThatCannotBe_FailsBeforeTheBody(byte[] header, TlsAlert alert)
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();

        ExpectFailure(session, peer, header, alert);
    }

    [Fact]
    public void Open_LargestRecordAllowed_IsOpened()
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();
        byte[] record = peer.Data(new byte[TlsSession.MaxPlaintextBytes]);

        Assert.Equal(TlsSession.MaxPlaintextBytes, session.Open(record).Length);
    }

    [Fact]
    public void Open_MoreInsideThanAllowed_IsRecordOverflow()
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();

        ExpectFailure(session, peer, peer.Data(new byte[TlsSession.MaxPlaintextBytes], paddingBytes: 1), TlsAlert.RecordOverflow, TlsFailureReason.TooLarge);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(100)]
    public void Open_OnlyZerosInside_IsUnexpectedMessage(int zeros)
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();

        ExpectFailure(session, peer, peer.Protect(new byte[zeros]), TlsAlert.UnexpectedMessage);
    }

    [Theory]
    [InlineData((byte)20)]
    [InlineData((byte)19)]
    [InlineData((byte)24)]
    public void Open_TypeInsideThatCannotBe_IsUnexpectedMessage(byte type)
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();

        ExpectFailure(session, peer, peer.Record([1], (ContentType)type), TlsAlert.UnexpectedMessage);
    }

    [Fact]
    public void Open_EmptyRecordsInARow_AreBounded()
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();
        for (int i = 0; i < 32; i++) Assert.Equal(OpenKind.Control, session.Open(peer.Data([])).Kind);
        Assert.Equal(OpenKind.Data, session.Open(peer.Data("x"u8)).Kind);
        for (int i = 0; i < 32; i++) Assert.Equal(OpenKind.Control, session.Open(peer.Data([])).Kind);

        ExpectFailure(session, peer, peer.Data([]), TlsAlert.UnexpectedMessage, TlsFailureReason.Flood);
    }

    [Fact]
    public void Seal_MoreThanARecordHolds_Throws()
    {
        (TlsSession session, _) = RecordForge.Create();
        byte[] record = new byte[20_000];

        Assert.Throws<ArgumentOutOfRangeException>(() => session.Seal(record, TlsSession.MaxPlaintextBytes + 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => session.Seal(record.AsSpan(0, 21), 0));
    }

    [Fact]
    public void SealAndOpen_AllocateNothing()
    {
        (TlsSession client, TlsSession server) = RecordForge.CreatePair();
        byte[] record = new byte[TlsSession.HeaderBytes + 1000 + TlsSession.TrailerBytes];
        Exchange(10);

        long before = GC.GetAllocatedBytesForCurrentThread();
        Exchange(1000);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Exchange(int times)
        {
            for (int i = 0; i < times; i++)
            {
                client.Seal(record, 1000);
                if (server.Open(record).Kind != OpenKind.Data) throw new InvalidOperationException("not opened");
            }
        }
    }

    [Fact]
    public void Dispose_ThenUse_Throws()
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();
        session.Dispose();

        Assert.Throws<ObjectDisposedException>(() => session.Seal(new byte[30], 1));
        Assert.Throws<ObjectDisposedException>(() => session.Open(peer.Data("x"u8)));
    }

    /// <summary>A buffer with the plaintext where a record has it.</summary>
    internal static byte[] Room(ReadOnlySpan<byte> plaintext) => [.. new byte[TlsSession.HeaderBytes], .. plaintext, .. new byte[TlsSession.TrailerBytes]];

    /// <summary>The record ends the session; the alert is queued, and nothing else is ever written again.</summary>
    internal static void ExpectFailure(TlsSession session, RecordForge peer, byte[] received, TlsAlert alert, TlsFailureReason reason)
    {
        ExpectFailure(session, peer, received, alert);
        Assert.Equal(reason, session.Failure?.Reason);
    }

    internal static void ExpectFailure(TlsSession session, RecordForge peer, byte[] received, TlsAlert alert)
    {
        Assert.Equal(OpenKind.Failed, session.Open(received).Kind);
        Assert.NotNull(session.Failure);
        Assert.True(session.HasControlOutput);
        byte[] control = new byte[TlsSession.ControlBytes];
        Assert.Equal(24, session.WriteControl(control));
        Assert.False(session.HasControlOutput);
        Assert.Equal(OpenKind.Failed, peer.Reader.Open(control).Kind);
        Assert.Equal(alert, peer.Reader.Failure?.ReceivedAlert);
        Assert.Equal(0, session.WriteCloseNotify(control));
        Assert.Throws<InvalidOperationException>(() => session.Seal(new byte[100], 1));
        Assert.Equal(OpenKind.Failed, session.Open(received).Kind);
    }
}
