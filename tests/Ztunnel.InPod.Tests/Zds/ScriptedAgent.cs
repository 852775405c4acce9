using Ztunnel.InPod.Zds;
using Ztunnel.Linux.Sockets;
using Ztunnel.Testing.Processes;

namespace Ztunnel.InPod.Tests.Zds;

/// <summary>A node agent that does what a test says, over the code of our own agent: right bytes or wrong ones, with descriptors or without.</summary>
internal sealed class ScriptedAgent : IAsyncDisposable
{
    private static readonly string OwnNamespace = "/proc/self/ns/net";

    private readonly ZdsListener _listener;
    private ZdsLink? _link;

    private ScriptedAgent(string path) => _listener = ZdsListener.Open(path);

    public static ScriptedAgent Open(string path) => new(path);

    private ZdsLink Link => _link ?? throw new InvalidOperationException("nobody is connected");

    /// <summary>Waits for a proxy and its hello.</summary>
    public async Task AcceptAsync()
    {
        using var limit = new CancellationTokenSource(TestCommand.Limit);
        ZdsLink accepted = await _listener.AcceptAsync(limit.Token);
        if (_link is not null)
            await _link.DisposeAsync();
        _link = accepted;
        Assert.Equal("0801", await ReceiveAsync());
    }

    /// <summary>Sends bytes and descriptors of the given files, and returns the answer's bytes.</summary>
    public async Task<string> AskAsync(string hex, params string[] files)
    {
        Send(hex, files);
        return await ReceiveAsync();
    }

    /// <summary>The answer's error text; empty is success.</summary>
    public async Task<string> AskForErrorAsync(string hex, params string[] files)
    {
        string answer = await AskAsync(hex, files);
        return Ztunnel.Protos.Zds.WorkloadResponse.Parser.ParseFrom(Convert.FromHexString(answer)).Ack.Error;
    }

    /// <summary>An add with our own namespace, which needs no privilege to open.</summary>
    public Task<string> AddAsync(string uid) => AskAsync(AddOf(uid), OwnNamespace);

    public Task<string> CompleteSnapshotAsync() => AskAsync("1a00");

    public void Send(string hex, params string[] files)
    {
        NetworkFile[] opened = [.. files.Select(static file => new NetworkFile(file))];
        try
        {
            Assert.Equal(Errno.None, Link.Send(Convert.FromHexString(hex), [.. opened.Select(static file => file.Handle)]));
        }
        finally
        {
            foreach (NetworkFile file in opened)
                file.Dispose();
        }
    }

    /// <summary>Sends the same again and again without reading an answer, until nobody is there to take it. The number of those that were taken.</summary>
    public int SendUntilClosed(string hex)
    {
        ZdsLink link = Link;
        byte[] message = Convert.FromHexString(hex);
        int sent = 0;
        while (true)
        {
            switch (link.Send(message))
            {
                case Errno.None:
                    sent++;
                    break;
                case Errno.ETIMEDOUT:
                    break; // the other side's buffer is full: it may be busy
                default:
                    return sent;
            }
        }
    }

    /// <summary>The next packet, or "end".</summary>
    public async Task<string> ReceiveAsync()
    {
        using ZdsPacket packet = await Link.ReceiveAsync().WaitAsync(TestCommand.Limit);
        return packet.IsMessage ? Convert.ToHexStringLower(packet.Bytes) : "end";
    }

    public async Task CloseConnectionAsync()
    {
        await Link.DisposeAsync();
        _link = null;
    }

    public async ValueTask DisposeAsync()
    {
        if (_link is not null)
            await _link.DisposeAsync();
        await _listener.DisposeAsync();
    }

    /// <summary>Add{uid, {a, default, a}} as the agent writes it.</summary>
    public static string AddOf(string uid) => AddOf(uid, "a");

    /// <summary>The same for a pod whose service account has its name.</summary>
    public static string AddOf(string uid, string name)
    {
        string info = Field(1, name) + Field(2, "default") + Field(3, name);
        string inner = Field(1, uid) + "12" + Length(info) + info;
        return "0a" + Length(inner) + inner;
    }

    public static string KeepOf(string uid) => "2a" + Length(Field(1, uid)) + Field(1, uid);

    public static string DeleteOf(string uid) => "12" + Length(Field(2, uid)) + Field(2, uid);

    private static string Field(int number, string text) => $"{(number << 3) | 2:x2}{text.Length:x2}{Convert.ToHexStringLower(System.Text.Encoding.UTF8.GetBytes(text))}";

    private static string Length(string hex) => $"{hex.Length / 2:x2}";
}
