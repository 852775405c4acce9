using System.Text;

namespace Ztunnel.Lifetime;

/// <summary>
/// The secrets of every connection between workloads, in the NSS key log format, so that tshark or Wireshark can decode a capture. For debugging on a test machine only: whoever has the file and a
/// capture reads the traffic of every pod. Not SSLKEYLOGFILE, which other programs share: that is easily inherited from a shell.
/// </summary>
/// <remarks>Lines come from the loops that run handshakes, which wait for the disk here: one more reason not to use it where it matters.</remarks>
internal sealed class KeyLogFile : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly FileStream _file;
    private readonly Lock _lock = new();

    private KeyLogFile(FileStream file)
    {
        _file = file;
    }

    /// <summary>Appends to the file, which is created for the owner's eyes only. Null where no path is set.</summary>
    /// <exception cref="StartException">It cannot be written.</exception>
    public static KeyLogFile? Open(string? path)
    {
        if (path is null)
            return null;
        try
        {
            // No buffer: a line is there once its handshake is through.
            return new KeyLogFile(new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.Append,
                Access = FileAccess.Write,
                Share = FileShare.ReadWrite,
                UnixCreateMode = OwnerOnly,
                BufferSize = 0,
            }));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new StartException($"ZTUNNEL_KEY_LOG_FILE: {path}: cannot be written: {problem.Message}", problem);
        }
    }

    public void Write(string line)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(line + "\n");
        lock (_lock)
        {
            try
            {
                if (_file.CanWrite)
                    _file.Write(bytes);
            }
            catch (IOException)
            {
                // A full disk costs the capture its secrets, never the connection its handshake.
            }
        }
    }

    public void Dispose()
    {
        lock (_lock)
            _file.Dispose();
    }
}
