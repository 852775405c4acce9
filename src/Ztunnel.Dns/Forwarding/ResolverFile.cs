using System.Text;
using Microsoft.Extensions.Logging;
using Ztunnel.Dns.Telemetry;

namespace Ztunnel.Dns.Forwarding;

/// <summary>
/// Follows resolv.conf: a node whose resolvers move, or a pod that was started before its file was written, needs no restart. A file that is gone leaves in force what was read last.
/// The text itself is compared, for the file is often a mount whose times say nothing.
/// </summary>
public sealed class ResolverFile : IAsyncDisposable
{
    // The C library reads no more of a line than 255 characters and three servers; 16 KiB are a long list of comments.
    private const int MostBytes = 16 * 1024;

    /// <summary>How often the file is looked at. A change counts when two looks agree: it may be half written.</summary>
    public static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(5);

    private readonly string _path;
    private readonly ResolverSource _target;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stopping = new();
    private readonly byte[] _buffer = new byte[MostBytes];
    private byte[]? _taken;
    private byte[]? _seen;
    private bool _isMissing;
    private Task _watching = Task.CompletedTask;

    public ResolverFile(string path, ResolverSource target, TimeProvider time, ILogger log)
    {
        _path = path;
        _target = target;
        _time = time;
        _log = log;
    }

    /// <summary>Reads the file if it is there, and follows it from now on. Throws for nothing: mesh names need no resolver.</summary>
    public void Start()
    {
        if (TryRead(out ReadOnlySpan<byte> text))
            Take(text.ToArray(), isFirst: true);
        _watching = WatchAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _watching.ConfigureAwait(false);
        _stopping.Dispose();
    }

    internal void Look()
    {
        if (!TryRead(out ReadOnlySpan<byte> text) || text.SequenceEqual(_taken))
            _seen = null;
        else if (text.SequenceEqual(_seen))
            Take(_seen!, isFirst: false);
        else
            _seen = text.ToArray();
    }

    private async Task WatchAsync()
    {
        using var timer = new PeriodicTimer(LookInterval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
                Look();
        }
        catch (OperationCanceledException)
        {
            return; // stopped
        }
    }

    private void Take(byte[] text, bool isFirst)
    {
        _taken = text;
        _seen = null;
        var read = ResolverConfiguration.Parse(Encoding.UTF8.GetString(text));
        _target.Publish(read);
        if (read.Servers.Count == 0)
            DnsLog.ResolversNotNamed(_log, _path);
        else if (!isFirst)
            DnsLog.ResolversChanged(_log, _path, string.Join(' ', read.Servers.Select(static server => server.Address)));
    }

    private bool TryRead(out ReadOnlySpan<byte> text)
    {
        try
        {
            using FileStream file = File.OpenRead(_path);
            text = _buffer.AsSpan(0, file.ReadAtLeast(_buffer, _buffer.Length, throwOnEndOfStream: false));
            _isMissing = false;
            return true;
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            // Said once for each time it goes away.
            if (!_isMissing)
                DnsLog.ResolversUnreadable(_log, _path, unreadable.Message, _taken is null ? "names that the mesh does not know are answered SERVFAIL" : "what was read last stays in force");
            _isMissing = true;
            text = default;
            return false;
        }
    }
}
