using Ztunnel.Linux.Interop;

namespace Ztunnel.Linux.Sockets;

/// <summary>A received message with the descriptors that came beside it, which it owns until they are taken.</summary>
public sealed class SeqPacketMessage : IDisposable
{
    private readonly List<DescriptorHandle> _descriptors = [];

    private SeqPacketMessage(IoResult result) => Result = result;

    public IoResult Result { get; }

    public IReadOnlyList<DescriptorHandle> Descriptors => _descriptors;

    /// <summary>Control messages that were not descriptors.</summary>
    public int OtherControlMessages { get; private init; }

    /// <summary>The message was longer than the buffer, and the rest is gone.</summary>
    public bool IsTruncated { get; private init; }

    /// <summary>More descriptors were sent than there was room for, and the kernel closed the others.</summary>
    public bool IsControlTruncated { get; private init; }

    /// <summary>Hands one over to the caller.</summary>
    public DescriptorHandle TakeDescriptor(int index)
    {
        DescriptorHandle taken = _descriptors[index];
        _descriptors.RemoveAt(index);
        return taken;
    }

    public void Dispose()
    {
        foreach (DescriptorHandle descriptor in _descriptors)
        {
            descriptor.Dispose();
        }

        _descriptors.Clear();
    }

    /// <summary>What stands for a message when the connection broke while it was waited for.</summary>
    public static SeqPacketMessage Broken(Errno error) => Failed(error);

    internal static SeqPacketMessage Failed(Errno error) => new(IoResult.Failed(error));

    internal static SeqPacketMessage Own(int bytes, in MessageHeader header)
    {
        List<DescriptorHandle> descriptors = [];
        int others = ControlMessages.Own(in header, descriptors);
        var message = new SeqPacketMessage(bytes == 0 && descriptors.Count == 0 ? IoResult.EndOfStream : IoResult.Moved(bytes))
        {
            OtherControlMessages = others,
            IsTruncated = (header.Flags & Libc.MSG_TRUNC) != 0,
            IsControlTruncated = (header.Flags & Libc.MSG_CTRUNC) != 0,
        };
        message._descriptors.AddRange(descriptors);
        return message;
    }
}
