using Microsoft.Extensions.Logging;
using Ztunnel.ControlPlane.Files;
using Ztunnel.Tls.Revocation;

namespace Ztunnel.ControlPlane.Revocation;

/// <summary>Where the revocation lists are (CRL_PATH).</summary>
public sealed record RevocationFileSettings
{
    public required string Path { get; init; }

    /// <summary>How often the file is looked at. A change takes effect after two looks.</summary>
    public TimeSpan PollInterval { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>A mounted config map holds 1 MiB; a million entries are about 40 MB.</summary>
    public int MaxBytes { get; init; } = 64 * 1024 * 1024;
}

/// <summary>
/// Keeps the revocation lists as the file says (control-path 7.9). No trouble with it ends the process or switches checking off: what was loaded last stays in force, and each change of
/// the file is another chance. A file that is not there yet revokes nothing, as istiod's optional config map wants it.
/// </summary>
public sealed class RevocationFileSource : IAsyncDisposable
{
    private readonly RevocationFileSettings _settings;
    private readonly Revocations _target;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private Task _watching = Task.CompletedTask;
    private long _loads;
    private long _failures;
    private volatile bool _isCurrent;

    public RevocationFileSource(RevocationFileSettings settings, Revocations target, TimeProvider time, ILogger logger)
    {
        _settings = settings;
        _target = target;
        _time = time;
        _logger = logger;
    }

    /// <summary>How often the file was read and taken.</summary>
    public long Loads => Interlocked.Read(ref _loads);

    /// <summary>How often it could not be read or used.</summary>
    public long Failures => Interlocked.Read(ref _failures);

    /// <summary>Whether what is in force is what the file says now.</summary>
    public bool IsCurrent => _isCurrent;

    /// <summary>Loads the file if it is there and begins to watch it. Throws for nothing.</summary>
    public void Start()
    {
        FileSignature? signature = null;
        try
        {
            signature = Load();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Interlocked.Increment(ref _failures);
            RevocationLog.MissingAtStart(_logger, _settings.Path, error.Message);
        }

        _watching = WatchAsync(new FileWatch(signature));
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _watching.ConfigureAwait(false);
        _stopping.Dispose();
    }

    /// <summary>Reads the file and puts it in force, unless it is unusable: then it says so, and another content is waited for.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">Nor may it be.</exception>
    private FileSignature Load()
    {
        using FileStream file = File.OpenRead(_settings.Path);
        FileSignature signature = FileSignature.Of(file.SafeFileHandle);
        try
        {
            if (signature.Bytes > _settings.MaxBytes) throw new FormatException($"{signature.Bytes} bytes, and {_settings.MaxBytes} are allowed");
            byte[] content = new byte[signature.Bytes];
            file.ReadExactly(content);
            Publish(RevocationSet.Read(content));
        }
        catch (FormatException unusable)
        {
            _isCurrent = false;
            Interlocked.Increment(ref _failures);
            RevocationLog.Refused(_logger, _settings.Path, unusable.Message);
        }

        return signature;
    }

    private void Publish(RevocationSet lists)
    {
        _target.Publish(lists);
        _isCurrent = true;
        Interlocked.Increment(ref _loads);
        RevocationLog.Loaded(_logger, _settings.Path, lists.ListCount, lists.RevokedCount);
        if (lists.NextUpdate is { } next && next < _time.GetUtcNow()) RevocationLog.Overdue(_logger, _settings.Path, next);
    }

    private async Task WatchAsync(FileWatch watch)
    {
        using PeriodicTimer timer = new(_settings.PollInterval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false)) Look(watch);
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    private void Look(FileWatch watch)
    {
        try
        {
            if (watch.OnLook(TrySignature()) is var action && action == FileWatchAction.Load) Load();
            else if (action == FileWatchAction.ReportMissing) ReportMissing();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Gone or cut between the look and the load: the next look sees another file.
            ReportMissing();
        }
    }

    private void ReportMissing()
    {
        _isCurrent = false;
        Interlocked.Increment(ref _failures);
        RevocationLog.Missing(_logger, _settings.Path);
    }

    private FileSignature? TrySignature()
    {
        try
        {
            return FileSignature.Read(_settings.Path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;   // said by the watch, once
        }
    }
}
