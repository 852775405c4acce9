using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Records;
using Ztunnel.Tls.Tests.Records;
using static Ztunnel.Tls.Tests.Records.TlsSessionTests;

namespace Ztunnel.Tls.Tests.Hostile;

/// <summary>
/// The record layer against a peer that has the keys and keeps no rule (RFC 8446 5), in both roles: every attack ends with one alert of the right kind, and nothing is read or written afterwards.
/// Lengths, tags and order of records are in <see cref="TlsSessionTests"/>, tickets and KeyUpdates that are malformed in <see cref="PostHandshakeTests"/>.
/// </summary>
public sealed class RecordAttackTests
{
    private const byte NewSessionTicket = 4;
    private const byte KeyUpdate = 24;

    public static TheoryData<TlsRole> Roles => [TlsRole.Client, TlsRole.Server];

    [Theory]
    [MemberData(nameof(Roles))]
    public void Rfc8446_5_1_EveryTypeButApplicationDataOutside_IsUnexpectedMessage(TlsRole role)
    {
        for (int type = 0; type < 256; type++)
        {
            if (type == (int)ContentType.ApplicationData) continue;
            (TlsSession session, RecordForge peer) = RecordForge.Create(role);
            byte[] record = peer.Data("x"u8);
            record[0] = (byte)type;

            ExpectFailure(session, peer, record, TlsAlert.UnexpectedMessage);
        }
    }

    [Theory]
    [MemberData(nameof(Roles))]
    public void Rfc8446_5_2_EveryTypeInside_IsDataOrAlertOrHandshakeOrUnexpected(TlsRole role)
    {
        for (int type = 0; type < 256; type++)
        {
            if (type is (int)ContentType.ApplicationData or (int)ContentType.Alert or (int)ContentType.Handshake or 0) continue;
            (TlsSession session, RecordForge peer) = RecordForge.Create(role);

            ExpectFailure(session, peer, peer.Record("x"u8, (ContentType)type), TlsAlert.UnexpectedMessage);
        }
    }

    [Theory]
    [MemberData(nameof(Roles))]
    public void Rfc8446_5_1_PlaintextAlertBehindTheHandshake_EndsNothingByItself(TlsRole role)
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create(role);

        // Anybody on the way can write close_notify in plain text: it must not pass for the peer's.
        ExpectFailure(session, peer, [21, 3, 3, 0, 2, 1, 0], TlsAlert.UnexpectedMessage);
        Assert.Null(session.Failure?.ReceivedAlert);
    }

    [Theory]
    [InlineData((ushort)0x0301)]
    [InlineData((ushort)0x0304)]
    [InlineData((ushort)0)]
    [InlineData((ushort)0xffff)]
    public void Rfc8446_5_2_LegacyVersion_MeansNothing(ushort version)
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();

        Assert.Equal(OpenKind.Data, session.Open(peer.Protect([(byte)'x', (byte)ContentType.ApplicationData], version)).Kind);
    }

    [Theory]
    [MemberData(nameof(Roles))]
    public void Rfc8446_5_2_EveryLengthBelowATag_IsBadRecordMac(TlsRole role)
    {
        for (byte length = 0; length < 16; length++)
        {
            (TlsSession session, RecordForge peer) = RecordForge.Create(role);

            ExpectFailure(session, peer, [23, 3, 3, 0, length, .. new byte[length]], TlsAlert.BadRecordMac);
        }
    }

    [Theory]
    [MemberData(nameof(Roles))]
    public void Rfc8446_5_2_LengthsAboveTheMaximum_AreOverflowsBeforeTheirBytesArrive(TlsRole role)
    {
        foreach (int length in (int[])[(1 << 14) + 257, (1 << 14) + 1000, 0xffff])
        {
            (TlsSession session, RecordForge peer) = RecordForge.Create(role);

            ExpectFailure(session, peer, [23, 3, 3, (byte)(length >> 8), (byte)length], TlsAlert.RecordOverflow, TlsFailureReason.TooLarge);
        }
    }

    [Theory]
    [InlineData(1 << 14)]
    [InlineData((1 << 14) + 1)]
    public void Rfc8446_5_4_RecordOfPaddingOnly_IsUnexpectedMessage(int zeros)
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();

        ExpectFailure(session, peer, peer.Protect(new byte[zeros]), TlsAlert.UnexpectedMessage);
    }

    [Fact]
    public void Rfc8446_5_4_PaddingAroundEveryKindOfContent_IsTaken()
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create(TlsRole.Client);

        Assert.Equal(1, session.Open(peer.Data("x"u8, paddingBytes: (1 << 14) - 1)).Length);
        Assert.Equal(OpenKind.Control, session.Open(peer.Record([NewSessionTicket, 0, 0, 20, .. new byte[20]], ContentType.Handshake, paddingBytes: 300)).Kind);
        Assert.Equal(OpenKind.Control, session.Open(peer.Data([], paddingBytes: 100)).Kind);
        Assert.Equal(OpenKind.CloseNotify, session.Open(peer.Record([1, 0], ContentType.Alert, paddingBytes: 1_000)).Kind);
    }

    /// <summary>A handshake message may be spread over records, but nothing else may come in between, whatever it is.</summary>
    [Theory]
    [InlineData((byte)ContentType.ApplicationData)]
    [InlineData((byte)ContentType.Alert)]
    [InlineData((byte)ContentType.ChangeCipherSpec)]
    public void Rfc8446_5_1_MessageInterrupted_IsUnexpectedMessage(byte type)
    {
        foreach (byte[] begun in (byte[][])[[KeyUpdate], [KeyUpdate, 0, 0, 1], [NewSessionTicket, 0, 0, 40], [NewSessionTicket, 0, 0, 40, 1, 2, 3]])
        {
            (TlsSession session, RecordForge peer) = RecordForge.Create(TlsRole.Client);
            Assert.Equal(OpenKind.Control, session.Open(peer.Record(begun, ContentType.Handshake)).Kind);

            ExpectFailure(session, peer, peer.Record([1, 0], (ContentType)type), TlsAlert.UnexpectedMessage);
        }
    }

    [Fact]
    public void Rfc8446_5_1_KeyUpdateInOneByteEach_IsReadAndItsRestUnderTheOldKeysOnly()
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();
        foreach (byte piece in (byte[])[KeyUpdate, 0, 0, 1]) Assert.Equal(OpenKind.Control, session.Open(peer.Record([piece], ContentType.Handshake)).Kind);
        Assert.Equal(OpenKind.Control, session.Open(peer.KeyUpdate([1])).Kind);

        Assert.True(session.HasControlOutput);
        Assert.Equal(OpenKind.Data, session.Open(peer.Data("new keys"u8)).Kind);
    }

    [Fact]
    public void Rfc8446_4_6_3_RecordUnderTheOldKeysBehindAKeyUpdate_IsBadRecordMac()
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();
        byte[] update = peer.Record([KeyUpdate, 0, 0, 1, 0], ContentType.Handshake);
        byte[] old = peer.Data("old keys"u8);
        Assert.Equal(OpenKind.Control, session.Open(update).Kind);

        ExpectFailure(session, peer, old, TlsAlert.BadRecordMac, TlsFailureReason.BadRecord);
    }

    /// <summary>A byte of data between them does not make a flood of KeyUpdates cheaper.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void KeyUpdates_WithAByteOfDataBetween_AreBounded(bool requested)
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();
        int answers = 0;
        byte[] control = new byte[TlsSession.ControlBytes];
        for (int i = 0; i < 32; i++)
        {
            Assert.Equal(OpenKind.Control, session.Open(peer.KeyUpdate(requested)).Kind);
            Assert.Equal(OpenKind.Data, session.Open(peer.Data("x"u8)).Kind);
            if (!session.HasControlOutput) continue;
            Assert.Equal(OpenKind.Control, peer.Reader.Open(control.AsSpan(0, session.WriteControl(control))).Kind);
            answers++;
            byte[] data = Room("y"u8);
            session.Seal(data, 1);
            Assert.Equal(OpenKind.Data, peer.Reader.Open(data).Kind);
        }

        Assert.Equal(requested ? 32 : 0, answers);
        ExpectFailure(session, peer, peer.KeyUpdate(requested), TlsAlert.UnexpectedMessage, TlsFailureReason.Flood);
    }

    [Fact]
    public void KeyUpdates_EarnedByData_GoOnForEver()
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();
        for (int i = 0; i < 200; i++)
        {
            Assert.Equal(OpenKind.Control, session.Open(peer.KeyUpdate(requested: false)).Kind);
            for (int records = 0; records < 64; records++) Assert.Equal(OpenKind.Data, session.Open(peer.Data("x"u8)).Kind);
        }
    }

    /// <summary>However often the peer asks while we have nothing to send, one answer serves (RFC 8446 4.6.3).</summary>
    [Fact]
    public void KeyUpdates_RequestedWhileNothingIsWritten_AreAnsweredOnce()
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();
        for (int i = 0; i < 20; i++) session.Open(peer.KeyUpdate(requested: true));
        byte[] control = new byte[TlsSession.ControlBytes];

        Assert.Equal(27, session.WriteControl(control));
        Assert.False(session.HasControlOutput);
    }

    [Theory]
    [MemberData(nameof(Roles))]
    public void ControlRecordsOfAnyKind_InARow_AreBounded(TlsRole role)
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create(role);
        for (int i = 0; i < 32; i++)
        {
            byte[] record = (i % 3) switch
            {
                0 => peer.Data([], paddingBytes: i),
                1 => peer.Record([1, (byte)TlsAlert.UserCanceled], ContentType.Alert),
                _ => peer.KeyUpdate(requested: i % 2 == 0),
            };
            Assert.Equal(OpenKind.Control, session.Open(record).Kind);
        }

        ExpectFailure(session, peer, peer.Data([]), TlsAlert.UnexpectedMessage, TlsFailureReason.Flood);
    }

    /// <summary>Wherever the stream is cut, what was whole has been read, and nothing looks like an orderly end: only close_notify does (RFC 8446 6.1).</summary>
    [Fact]
    public void Rfc8446_6_1_StreamCutAnywhere_NeverLooksLikeCloseNotify()
    {
        (_, RecordForge forge) = RecordForge.Create();
        int length = Wire(forge).Length;
        for (int cut = 0; cut < length; cut++)
        {
            (TlsSession session, RecordForge peer) = RecordForge.Create();
            byte[] wire = Wire(peer)[..cut];
            int at = 0;
            OpenResult last;
            while ((last = session.Open(wire.AsSpan(at))).Kind == OpenKind.Data) at += last.Consumed;

            Assert.Equal(OpenKind.NeedMore, last.Kind);
        }

        static byte[] Wire(RecordForge peer) => [.. peer.Data("first"u8), .. peer.Data("second"u8), .. peer.Record([1, 0], ContentType.Alert)];
    }

    [Fact]
    public void Rfc8446_6_1_WhateverFollowsCloseNotify_IsIgnored()
    {
        (TlsSession session, RecordForge peer) = RecordForge.Create();
        byte[] close = peer.Record([1, 0], ContentType.Alert);
        Assert.Equal(OpenKind.CloseNotify, session.Open(close).Kind);

        foreach (byte[] more in (byte[][])[peer.Data("x"u8), peer.Record([2, 80], ContentType.Alert), peer.KeyUpdate(requested: true), [1, 2, 3]])
            Assert.Equal(new OpenResult(OpenKind.CloseNotify, more.Length, 0, 0), session.Open(more));
        Assert.Null(session.Failure);
        Assert.False(session.HasControlOutput);
    }

    /// <summary>Damage at random: what is delivered is a beginning of what was sent, the first wrong record ends it, and one alert is all that is written.</summary>
    [Theory]
    [InlineData(8446)]
    [InlineData(5116)]
    public void DamagedStreams_DeliverABeginningAndOneAlert(int seed)
    {
        var random = new Random(seed);
        for (int round = 0; round < 300; round++)
        {
            (TlsSession session, RecordForge peer) = RecordForge.Create(random.Next(2) == 0 ? TlsRole.Client : TlsRole.Server, aes256: random.Next(2) == 0);
            byte[] wire = [.. Enumerable.Range(0, 6).SelectMany(i => peer.Data([(byte)i, .. new byte[random.Next(200)]], random.Next(20)))];
            int at = random.Next(wire.Length);
            wire[at] ^= (byte)(1 << random.Next(8));
            var delivered = new List<byte>();
            int position = 0;
            OpenResult result;
            while ((result = session.Open(wire.AsSpan(position))).Kind == OpenKind.Data)
            {
                delivered.Add(wire[position + result.Offset]);
                position += result.Consumed;
            }

            Assert.Equal(Enumerable.Range(0, delivered.Count).Select(static i => (byte)i), delivered);
            // A length that grew may leave it waiting for bytes that never come.
            if (result.Kind == OpenKind.NeedMore) continue;
            Assert.Equal(OpenKind.Failed, result.Kind);
            Assert.True(position <= at);
            byte[] control = new byte[TlsSession.ControlBytes];
            Assert.Equal(24, session.WriteControl(control));
            Assert.Equal(OpenKind.Failed, peer.Reader.Open(control).Kind);
            session.Dispose();
            peer.Dispose();
        }
    }
}
