using Ztunnel.Linux.Process;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Tests.Sockets;

[Collection(nameof(ListenerSocketTests))] // counts descriptors of the whole process
public sealed class SeqPacketSocketTests : IDisposable
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(20);

    private readonly string _folder = Directory.CreateTempSubdirectory("zt-seqpacket-").FullName;

    private string SocketPath => Path.Combine(_folder, "socket");

    [Fact]
    public void Messages_SentTogether_KeepTheirBounds()
    {
        (SeqPacketSocket client, SeqPacketSocket server) = Connect();
        using (client)
        using (server)
        {
            Assert.Equal(Errno.None, client.Send("first"u8, [], LoopFixture.Limit));
            Assert.Equal(Errno.None, client.Send("second one"u8, [], LoopFixture.Limit));
            byte[] buffer = new byte[100];

            using SeqPacketMessage first = server.Receive(buffer, LoopFixture.Limit);
            Assert.True(buffer.AsSpan(0, first.Result.Bytes).SequenceEqual("first"u8));
            using SeqPacketMessage second = server.Receive(buffer, LoopFixture.Limit);
            Assert.True(buffer.AsSpan(0, second.Result.Bytes).SequenceEqual("second one"u8));
            Assert.Empty(second.Descriptors);

            client.Dispose();
            using SeqPacketMessage end = server.Receive(buffer, LoopFixture.Limit);
            Assert.Equal(IoResult.EndOfStream, end.Result);
        }
    }

    [Fact]
    public void Descriptors_Passed_AreTheSameOpenFilesAndOwned()
    {
        (SeqPacketSocket client, SeqPacketSocket server) = Connect();
        using (client)
        using (server)
        {
            string file = Path.Combine(_folder, "file");
            File.WriteAllText(file, "content");
            int before = ProcessStatus.OpenFiles;
            using (FileStream open = File.OpenRead(file))
            using (var handle = new DescriptorHandle((int)open.SafeFileHandle.DangerousGetHandle()))
            {
                Assert.Equal(Errno.None, client.Send("with two"u8, [handle, handle], LoopFixture.Limit));
                handle.Release();
            }

            using (SeqPacketMessage message = server.Receive(new byte[100], LoopFixture.Limit))
            {
                Assert.Equal(2, message.Descriptors.Count);
                using DescriptorHandle taken = message.TakeDescriptor(0);
                using var reading = new FileStream(new Microsoft.Win32.SafeHandles.SafeFileHandle(taken.Duplicate().Release(), ownsHandle: true), FileAccess.Read);
                Assert.Equal("content", new StreamReader(reading).ReadToEnd());
                Assert.Single(message.Descriptors);
            }

            Assert.Equal(before, ProcessStatus.OpenFiles);
        }
    }

    [Fact]
    public void Message_LongerThanTheBuffer_SaysSoAndItsDescriptorsDoNotLeak()
    {
        (SeqPacketSocket client, SeqPacketSocket server) = Connect();
        using (client)
        using (server)
        {
            int before = ProcessStatus.OpenFiles;
            using (var handle = new DescriptorHandle(0))
            {
                Assert.Equal(Errno.None, client.Send(new byte[500], [.. Enumerable.Repeat(handle, 253)], LoopFixture.Limit));
                handle.Release();
            }

            using (SeqPacketMessage message = server.Receive(new byte[100], LoopFixture.Limit))
            {
                Assert.True(message.IsTruncated);
                Assert.False(message.IsControlTruncated);
                Assert.Equal(253, message.Descriptors.Count);
                Assert.Equal(before + 253, ProcessStatus.OpenFiles);
            }

            Assert.Equal(before, ProcessStatus.OpenFiles);
        }
    }

    [Fact]
    public void Waits_WithoutAnything_EndInTime()
    {
        using SeqPacketSocket listener = SeqPacketSocket.Listen(SocketPath);
        Assert.Null(listener.Accept(Short));
        using SeqPacketSocket client = SeqPacketSocket.Connect(SocketPath, LoopFixture.Limit);
        using SeqPacketSocket? server = listener.Accept(LoopFixture.Limit);
        Assert.NotNull(server);

        Assert.Equal(IoResult.Failed(Errno.ETIMEDOUT), server.Receive(new byte[10], Short).Result);
        Errno error;
        while ((error = client.Send(new byte[10_000], [], Short)) == Errno.None)
        {
        }

        Assert.Equal(Errno.ETIMEDOUT, error);
    }

    [Fact]
    public async Task Shutdown_FromAnotherThread_EndsAReceiveAndAnAccept()
    {
        using SeqPacketSocket listener = SeqPacketSocket.Listen(SocketPath);
        using SeqPacketSocket client = SeqPacketSocket.Connect(SocketPath, LoopFixture.Limit);
        using SeqPacketSocket server = listener.Accept(LoopFixture.Limit)!;
        Task<IoResult> receiving = Task.Run(() => server.Receive(new byte[10], LoopFixture.Limit).Result);
        Task<SeqPacketSocket?> accepting = Task.Run(() => listener.Accept(LoopFixture.Limit));

        server.Shutdown();
        listener.Shutdown();

        Assert.Equal(IoResult.EndOfStream, await receiving.WaitAsync(LoopFixture.Limit / 2));
        Assert.Null(await accepting.WaitAsync(LoopFixture.Limit / 2));
    }

    [Fact]
    public void Connect_WhereNothingIs_NamesThePath()
    {
        LinuxException missing = Assert.Throws<LinuxException>(() => SeqPacketSocket.Connect(SocketPath, Short));
        Assert.Equal($"connect to {SocketPath}: No such file or directory (os error 2)", missing.Message);

        LinuxException tooLong = Assert.Throws<LinuxException>(() => SeqPacketSocket.Connect("/" + new string('x', 107), Short));
        Assert.Equal(Errno.ENAMETOOLONG, tooLong.Error);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private (SeqPacketSocket Client, SeqPacketSocket Server) Connect()
    {
        using SeqPacketSocket listener = SeqPacketSocket.Listen(SocketPath);
        SeqPacketSocket client = SeqPacketSocket.Connect(SocketPath, LoopFixture.Limit);
        return (client, listener.Accept(LoopFixture.Limit)!);
    }
}
