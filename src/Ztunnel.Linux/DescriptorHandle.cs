using System.Runtime.InteropServices;
using Ztunnel.Linux.Interop;

namespace Ztunnel.Linux;

/// <summary>An open file descriptor with one owner.</summary>
public class DescriptorHandle : SafeHandle
{
    private const nint NoDescriptor = -1;

    public DescriptorHandle(int descriptor)
        : base(NoDescriptor, ownsHandle: true) => SetHandle(descriptor);

    public override bool IsInvalid => handle < 0;

    /// <summary>The number, for as long as the handle lives.</summary>
    internal int Descriptor => (int)handle;

    /// <summary>Gives the descriptor away: from here on someone else closes it.</summary>
    public int Release()
    {
        int descriptor = Descriptor;
        ObjectDisposedException.ThrowIf(IsClosed || IsInvalid, this);
        SetHandleAsInvalid();
        return descriptor;
    }

    /// <summary>A second descriptor of the same open file.</summary>
    public DescriptorHandle Duplicate()
    {
        ObjectDisposedException.ThrowIf(IsClosed, this);
        SysResult result = Libc.Duplicate(Descriptor);
        GC.KeepAlive(this);
        return result.Failed ? throw new LinuxException(result.Error, "duplicate a descriptor") : new DescriptorHandle((int)result.Value);
    }

    protected override bool ReleaseHandle()
    {
        Libc.Close(Descriptor);
        return true;
    }
}
