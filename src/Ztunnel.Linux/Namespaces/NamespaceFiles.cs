using System.Text;
using Ztunnel.Linux.Interop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Namespaces;

/// <summary>Files below /proc/sys/net, which show the namespace they were opened in, whoever reads and writes them then. So only opening happens inside, and no thread has to be made for it, which costs a pod 10 KiB.</summary>
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

    public static string? Read(NetworkNamespace where, byte[] path)
    {
        fixed (byte* name = path)
        {
            SysResult opened = where.OpenFile(name, Libc.O_RDONLY);
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

    public static Errno Write(NetworkNamespace where, byte[] path, byte[] value)
    {
        fixed (byte* name = path)
        fixed (byte* bytes = value)
        {
            SysResult opened = where.OpenFile(name, Libc.O_WRONLY);
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
