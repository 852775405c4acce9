using Ztunnel.Tls.Records;
using static Ztunnel.Tls.Tests.Records.TlsSessionTests;

namespace Ztunnel.Tls.Tests.Records;

public sealed class CipherSlotsTests
{
    [Fact]
    public void MoreSessionsThanSlots_TakeTurns()
    {
        // Each pair uses one slot to seal and one to open.
        (TlsSession Client, TlsSession Server)[] pairs = [.. Enumerable.Range(0, CipherSlots.MaxSlots).Select(i => RecordForge.CreatePair(aes256: i % 2 == 0))];
        for (int round = 0; round < 3; round++)
        {
            foreach ((TlsSession client, TlsSession server) in pairs)
            {
                byte[] record = Room("data"u8);
                client.Seal(record, 4);
                Assert.Equal(OpenKind.Data, server.Open(record).Kind);
            }
        }

        Assert.Equal(CipherSlots.MaxSlots, CipherSlots.OfThisThread.Count);
        foreach ((TlsSession client, TlsSession server) in pairs)
        {
            client.Dispose();
            server.Dispose();
        }
    }

    [Fact]
    public void ReleaseExpandedKeys_AtRest_SessionsGoOn()
    {
        (TlsSession client, TlsSession server) = RecordForge.CreatePair();
        for (int round = 0; round < 3; round++)
        {
            byte[] record = Room("data"u8);
            client.Seal(record, 4);
            Assert.Equal(OpenKind.Data, server.Open(record).Kind);

            TlsSession.ReleaseExpandedKeys();
            Assert.Equal(0, CipherSlots.OfThisThread.Count);
        }

        client.Dispose();
        server.Dispose();
    }

    [Fact]
    public void Session_GoingFromThreadToThread_KeepsItsKeys()
    {
        (TlsSession client, TlsSession server) = RecordForge.CreatePair();
        for (int i = 0; i < 6; i++)
        {
            Exception? failure = null;
            var thread = new Thread(() =>
            {
                byte[] record = Room("data"u8);
                client.Seal(record, 4);
                if (server.Open(record).Kind != OpenKind.Data) failure = new InvalidOperationException("not opened");
            });
            thread.Start();
            Assert.True(thread.Join(TimeSpan.FromSeconds(10)));
            Assert.Null(failure);
        }
    }
}
