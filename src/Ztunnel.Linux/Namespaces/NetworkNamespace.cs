using System.Runtime.ExceptionServices;
using Ztunnel.Linux.Interop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Namespaces;

/// <summary>
/// A network namespace, held by its descriptor (control-path 8.6). A socket stays in the namespace it was created in, so only its creation has to happen inside;
/// options, bind, listen and connect follow from home.
/// </summary>
public sealed class NetworkNamespace : IDisposable
{
    private static readonly Lazy<NetworkNamespace> HomeNamespace = new(static () => Open("/proc/thread-self/ns/net"));

    private readonly DescriptorHandle _handle;

    private NetworkNamespace(DescriptorHandle handle)
    {
        _handle = handle;
        Libc.Identify(handle.Descriptor, out ulong device, out ulong inode).OrThrow("identify a network namespace");
        Id = (device, inode);
    }

    /// <summary>Our own. Opened when first asked for, which must be before any other is entered: the check at start does it.</summary>
    public static NetworkNamespace Home => HomeNamespace.Value;

    /// <summary>Two descriptors with the same id are the same namespace.</summary>
    public (ulong Device, ulong Inode) Id { get; }

    internal int Descriptor => _handle.Descriptor;

    /// <summary>For example /run/netns/name or /proc/1234/ns/net.</summary>
    public static NetworkNamespace Open(string path)
    {
        SysResult opened = Libc.Open(path, Libc.O_RDONLY);
        return opened.Failed ? throw new LinuxException(opened.Error, $"open network namespace {path}") : Adopt(new DescriptorHandle((int)opened.Value), path);
    }

    /// <summary>Takes the descriptor over, also when it turns out to be something else.</summary>
    public static NetworkNamespace Adopt(DescriptorHandle handle) => Adopt(handle, "the descriptor received");

    public void Dispose() => _handle.Dispose();

    /// <summary>A second descriptor of this namespace, for handing it to another process.</summary>
    public DescriptorHandle DuplicateHandle() => _handle.Duplicate();

    /// <summary>
    /// Runs a callback inside, on a thread made for it, and waits for that. Only raw system calls belong in there: no managed socket, no task, no logging, no process.
    /// If the way back fails the process ends.
    /// </summary>
    public TResult Run<TState, TResult>(Func<TState, TResult> callback, TState state)
    {
        ArgumentNullException.ThrowIfNull(callback);
        using Hold held = new(_handle);
        int home = Home.Descriptor;
        TResult? result = default;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            bool entered = false;
            try
            {
                Libc.EnterNetworkNamespace(Descriptor).OrThrow("enter a pod's network namespace");
                entered = true;
                result = callback(state);
            }
            catch (Exception exception) // carried over to the caller
            {
                failure = ExceptionDispatchInfo.Capture(exception);
            }

            if (entered && Libc.EnterNetworkNamespace(home).Failed)
            {
                Environment.FailFast("cannot leave a pod's network namespace: one pod's traffic would leave as another's");
            }
        })
        { IsBackground = true, Name = "ztunnel-netns" };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result!;
    }

    /// <summary>A setting below /proc/sys/net as this namespace has it; null if there is none.</summary>
    public string? ReadSetting(string name) => NamespaceFiles.Read(this, NamespaceFiles.PathOf(name));

    public Errno WriteSetting(string name, string value) => NamespaceFiles.Write(this, NamespaceFiles.PathOf(name), NamespaceFiles.Ascii(value));

    /// <summary>Creates a socket inside from the calling thread: three system calls and nothing else in between.</summary>
    /// <exception cref="ObjectDisposedException">The namespace was let go: its descriptor's number may be another pod's by now.</exception>
    internal SysResult OpenSocket(int family, int type, int protocol)
    {
        using Hold held = new(_handle);
        SysResult result = Libc.InNamespace.OpenSocket(Descriptor, Home.Descriptor, family, type, protocol, out bool entered);
        return entered ? result : throw new LinuxException(result.Error, "enter a pod's network namespace");
    }

    /// <summary>The same for a file below /proc/sys/net.</summary>
    internal unsafe SysResult OpenFile(byte* zeroTerminatedPath, int flags)
    {
        using Hold held = new(_handle);
        SysResult result = Libc.InNamespace.OpenFile(Descriptor, Home.Descriptor, zeroTerminatedPath, flags | Libc.O_CLOEXEC, out bool entered);
        return entered ? result : throw new LinuxException(result.Error, "enter a pod's network namespace");
    }

    private static NetworkNamespace Adopt(DescriptorHandle handle, string what)
    {
        ArgumentNullException.ThrowIfNull(handle);
        try
        {
            return Libc.IsNetworkNamespace(handle.Descriptor) ? new NetworkNamespace(handle) : throw new LinuxException(Errno.EINVAL, $"{what} is not a network namespace");
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Keeps a descriptor open for one entry. Whoever comes after it was closed gets an exception rather than the namespace that has its number now: one pod's connection would leave as another's.</summary>
    private readonly ref struct Hold
    {
        private readonly DescriptorHandle _handle;

        public Hold(DescriptorHandle handle)
        {
            bool held = false;
            handle.DangerousAddRef(ref held);
            _handle = handle;
        }

        public void Dispose() => _handle.DangerousRelease();
    }
}
