using System.IO.MemoryMappedFiles;
using Ztunnel.LoadBench.Native;

namespace Ztunnel.LoadBench.Measurement;

/// <summary>
/// Keeps the programs and libraries of running processes in the page cache. Some machines page out what has not been used for seconds, programs whose turn it is not among them: then a subject is charged for a disk,
/// 50 ms at a time, and the larger its program the more.
/// </summary>
internal sealed class ResidentPrograms : IDisposable
{
    private readonly Dictionary<string, (MemoryMappedFile File, MemoryMappedViewAccessor View)> _held = new(StringComparer.Ordinal);

    /// <summary>Files that could not be held, which needs CAP_IPC_LOCK.</summary>
    public int Refused { get; private set; }

    public void Hold(IEnumerable<int> processes)
    {
        foreach (int process in processes)
        {
            foreach ((string file, string path) in Mapped(process))
            {
                if (!_held.ContainsKey(file) && File.Exists(path))
                {
                    HoldFile(file, path);
                }
            }
        }
    }

    public void Dispose()
    {
        foreach ((MemoryMappedFile file, MemoryMappedViewAccessor view) in _held.Values)
        {
            view.Dispose();
            file.Dispose();
        }
    }

    private void HoldFile(string key, string path)
    {
        var file = MemoryMappedFile.CreateFromFile(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete), null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
        MemoryMappedViewAccessor view = file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        _held.Add(key, (file, view));
        // Undone when the view goes.
        if (Libc.mlock(view.SafeMemoryMappedViewHandle.DangerousGetHandle(), (nuint)view.Capacity) != 0)
        {
            Refused++;
        }
    }

    // 7f5e8c0-7f5e8d0 r-xp 00026000 fd:00 1234    /usr/lib/x86_64-linux-gnu/libc.so.6: device and inode tell files apart, the path is that of the process's root.
    private static IEnumerable<(string File, string Path)> Mapped(int process)
    {
        string[] maps;
        try
        {
            maps = File.ReadAllLines($"/proc/{process}/maps");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It has ended.
            return [];
        }

        return maps.Select(static line => line.Split(' ', 6, StringSplitOptions.RemoveEmptyEntries)).Where(static fields => fields.Length == 6 && fields[1] == "r-xp" && fields[5].StartsWith('/'))
            .Select(fields => ($"{fields[3]} {fields[4]}", $"/proc/{process}/root{fields[5]}"));
    }
}
