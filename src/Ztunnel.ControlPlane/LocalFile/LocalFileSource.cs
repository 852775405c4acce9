using System.Text;
using Microsoft.Extensions.Logging;
using Ztunnel.ControlPlane.Files;
using Ztunnel.Mesh.State;

namespace Ztunnel.ControlPlane.LocalFile;

/// <summary>Where the local resources are: a file (LOCAL_XDS_PATH) or the text itself (LOCAL_XDS).</summary>
public sealed record LocalFileSettings
{
    public string? Path { get; init; }

    public string? Text { get; init; }

    /// <summary>How often the file is looked at. A change takes effect after two looks.</summary>
    public TimeSpan PollInterval { get; init; } = TimeSpan.FromMilliseconds(500);

    internal string Source => Path ?? "LOCAL_XDS";
}

/// <summary>Keeps the mesh as the local file says, also while the file changes. A file that cannot be used changes nothing: what was loaded last stays in force.</summary>
/// <remarks>Resources of a control plane beside the file stay: a reload removes only what the file itself brought before.</remarks>
public sealed class LocalFileSource(LocalFileSettings settings, MeshStore store, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly CancellationTokenSource _stopping = new();
    private Task _watching = Task.CompletedTask;
    private LocalMesh _current = LocalMesh.Empty;

    /// <summary>What the file said when it was last good, for dumps.</summary>
    public LocalMesh Current => Volatile.Read(ref _current);

    /// <summary>Loads the resources for the first time, replacing the whole mesh, and begins to watch the file.</summary>
    /// <exception cref="LocalFileException">The file cannot be read or has mistakes; nothing was changed.</exception>
    public void Start()
    {
        (LocalMesh mesh, FileSignature signature) = Read();
        store.Replace(LocalMeshChanges.Everything(mesh));
        Volatile.Write(ref _current, LocalMeshChanges.Shared(mesh, store.Current));
        LocalFileLog.Loaded(logger, mesh.Workloads.Length, mesh.Policies.Length, mesh.Services.Length, settings.Source);
        if (settings.Path is not null) _watching = WatchAsync(new FileWatch(signature), settings.Path);
    }

    private (LocalMesh Mesh, FileSignature Signature) Read()
    {
        if (settings.Path is null)
        {
            using StringReader text = new(settings.Text ?? "");
            return (LocalFileReader.Read(text, settings.Source), default);
        }
        try
        {
            using FileStream file = File.OpenRead(settings.Path);
            FileSignature signature = FileSignature.Of(file.SafeFileHandle);
            using StreamReader text = new(file, StrictUtf8);
            return (LocalFileReader.Read(text, settings.Source), signature);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new LocalFileException(settings.Source, [new FileProblem(0, 0, "", $"cannot be read: {error.Message}")]);
        }
    }

    private async Task WatchAsync(FileWatch watch, string path)
    {
        using PeriodicTimer timer = new(settings.PollInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
            {
                FileWatchAction action = watch.OnLook(TrySignature(path));
                if (action == FileWatchAction.Load) Reload();
                else if (action == FileWatchAction.ReportMissing) LocalFileLog.Missing(logger, path);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    private static FileSignature? TrySignature(string path)
    {
        try
        {
            return FileSignature.Read(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;   // said by the watch, once
        }
    }

    private void Reload()
    {
        LocalMesh mesh;
        try
        {
            mesh = Read().Mesh;
        }
        catch (LocalFileException error)
        {
            LocalFileLog.Refused(logger, settings.Source, error.Message);
            return;
        }
        MeshChange change = store.Apply(LocalMeshChanges.Between(Current, mesh));
        Volatile.Write(ref _current, LocalMeshChanges.Shared(mesh, store.Current));
        LocalFileLog.Reloaded(logger, settings.Source, change.WorkloadCount, change.ServiceCount, change.Policies.Keys.Count);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _watching.ConfigureAwait(false);
        _stopping.Dispose();
    }
}
