using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Ztunnel.ControlPlane.Files;

/// <summary>What tells one content of a file from the next without reading it.</summary>
/// <remarks>
/// Taken from the opened file, so that links are followed the whole way: a mounted ConfigMap changes by a swap of a directory link above the file.
/// The inode tells a rename over the file even when size and time were copied along.
/// </remarks>
internal readonly record struct FileSignature(long Bytes, DateTime WrittenUtc, ulong Inode)
{
    private const string InodeLine = "ino:";

    /// <exception cref="IOException">The file cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">Nor may it be.</exception>
    public static FileSignature Read(string path)
    {
        using SafeFileHandle file = File.OpenHandle(path);
        return Of(file);
    }

    public static FileSignature Of(SafeFileHandle file) => new(RandomAccess.GetLength(file), File.GetLastWriteTimeUtc(file), InodeOf(file));

    // The runtime does not tell inodes, the kernel does since 5.14; before, size and time have to do.
    private static ulong InodeOf(SafeFileHandle file)
    {
        string path = string.Create(CultureInfo.InvariantCulture, $"/proc/self/fdinfo/{file.DangerousGetHandle()}");
        if (!File.Exists(path)) return 0;
        foreach (string line in File.ReadLines(path))
        {
            if (line.StartsWith(InodeLine, StringComparison.Ordinal) && ulong.TryParse(line.AsSpan(InodeLine.Length), NumberStyles.AllowLeadingWhite, CultureInfo.InvariantCulture, out ulong inode)) return inode;
        }
        return 0;
    }
}
