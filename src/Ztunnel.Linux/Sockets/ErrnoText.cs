using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Ztunnel.Linux.Sockets;

/// <summary>Words for error numbers, spelled as Rust's io::Error prints them: log lines and NACKs are compared with the reference's by people and by tests.</summary>
public static class ErrnoText
{
    private static readonly ConcurrentDictionary<Errno, string> Texts = new();

    /// <summary>"Connection refused (os error 111)".</summary>
    public static string Describe(Errno error) => Texts.GetOrAdd(error, static key =>
        string.Create(CultureInfo.InvariantCulture, $"{Marshal.GetPInvokeErrorMessage((int)key)} (os error {(int)key})"));
}
