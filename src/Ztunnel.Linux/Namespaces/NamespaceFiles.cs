using System.Text;
using Ztunnel.Linux.Interop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Namespaces;

/// <summary>Files below /proc/sys/net, which show the namespace of the thread that opens them. Raw calls only: this runs inside a pod's namespace.</summary>
internal static unsafe class NamespaceFiles
{
    private const int LongestValueBytes = 256;

    public static byte[] PathOf(string name)
    {
        if (name.Contains("..", StringComparison.Ordinal) || name.StartsWith('/'))
        {
            throw new ArgumentException($"'{name}' is not a name below /proc/sys/net", nameof(name));
        }

        return Ascii($"/proc/sys/net/{name}\0");
    }

    public static byte[] Ascii(string text) => Encoding.ASCII.GetBytes(text);

    public static string? Read(byte[] path)
    {
        fixed (byte* name = path)
        {
            SysResult opened = Libc.OpenRaw(name, Libc.O_RDONLY);
            if (opened.Failed)
            {
                return null;
            }

            byte* value = stackalloc byte[LongestValueBytes];
            SysResult read = Libc.Read((int)opened.Value, value, LongestValueBytes);
            Libc.Close((int)opened.Value);
            return read.Failed ? null : Encoding.ASCII.GetString(value, (int)read.Value).TrimEnd('\n');
        }
    }

    public static Errno Write(byte[] path, byte[] value)
    {
        fixed (byte* name = path)
        fixed (byte* bytes = value)
        {
            SysResult opened = Libc.OpenRaw(name, Libc.O_WRONLY);
            if (opened.Failed)
            {
                return opened.Error;
            }

            SysResult written = Libc.Write((int)opened.Value, bytes, (nuint)value.Length);
            Libc.Close((int)opened.Value);
            return written.Error;
        }
    }
}
