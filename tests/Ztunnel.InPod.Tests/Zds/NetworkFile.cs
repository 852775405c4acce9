using Microsoft.Win32.SafeHandles;
using Ztunnel.Linux;

namespace Ztunnel.InPod.Tests.Zds;

/// <summary>Any open file, as a descriptor to send: a namespace, or something that only claims to be one.</summary>
internal sealed class NetworkFile : IDisposable
{
    public NetworkFile(string path)
    {
        using SafeFileHandle file = File.OpenHandle(path);
        var borrowed = new DescriptorHandle((int)file.DangerousGetHandle());
        Handle = borrowed.Duplicate();
        borrowed.Release();
    }

    public DescriptorHandle Handle { get; }

    public void Dispose() => Handle.Dispose();
}
