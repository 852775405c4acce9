namespace Ztunnel.ControlPlane.Files;

/// <summary>What to do after a look at a watched file.</summary>
internal enum FileWatchAction
{
    /// <summary>Nothing new, or it is still being written.</summary>
    None,

    /// <summary>Another content has been there for two looks in a row: read it.</summary>
    Load,

    /// <summary>It cannot be opened any more.</summary>
    ReportMissing,
}

/// <summary>Notices that a file has another content, by looking at it from time to time.</summary>
/// <remarks>
/// Looking beats notifications here: it works on every file system, through any number of links, and costs one open and one fstat.
/// A change must have stood for two looks, so that a file written in place is not read half.
/// </remarks>
internal sealed class FileWatch(FileSignature? loaded)
{
    private FileSignature? _loaded = loaded;   // null: was not there, which has been said
    private FileSignature? _seen = loaded;

    /// <param name="now">The file as it is; null when it cannot be opened.</param>
    public FileWatchAction OnLook(FileSignature? now)
    {
        bool settled = _seen == now;
        _seen = now;
        if (now == _loaded || !settled) return FileWatchAction.None;

        _loaded = now;
        return now is null ? FileWatchAction.ReportMissing : FileWatchAction.Load;
    }
}
