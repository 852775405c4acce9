using Microsoft.Win32.SafeHandles;

namespace Ztunnel.ControlPlane.Files;

/// <summary>What tells one content of a file from the next without reading it.</summary>
/// <remarks>
/// Taken from the opened file, so that links are followed the whole way: a mounted ConfigMap changes by a swap of a directory link above the file.
/// The time of birth stands for the inode: a rename over the file brings another one even when size and time of change were copied along.
/// </remarks>
internal readonly record struct FileSignature(long Bytes, DateTime WrittenUtc, DateTime BornUtc)
{
    /// <exception cref="IOException">The file cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">Nor may it be.</exception>
    public static FileSignature Read(string path)
    {
        using SafeFileHandle file = File.OpenHandle(path);
        return Of(file);
    }

    public static FileSignature Of(SafeFileHandle file) => new(RandomAccess.GetLength(file), File.GetLastWriteTimeUtc(file), File.GetCreationTimeUtc(file));
}
