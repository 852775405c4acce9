using Ztunnel.Linux.Interop;

namespace Ztunnel.Linux.Sockets;

/// <summary>
/// Descriptors beside a message's bytes:
/// <code>
/// length:8 level:4 type:4 | descriptor:4 … | padding to 8     (repeated; the length does not count the padding)
/// </code>
/// </summary>
internal static unsafe class ControlMessages
{
    /// <summary>The kernel passes at most 253 descriptors in one message (SCM_MAX_FD); room for that and a little of something else.</summary>
    public const int MaximumBytes = 1280;

    private const int MostDescriptors = 253;
    private const int Alignment = 8;

    public static int Write(byte* control, ReadOnlySpan<DescriptorHandle> descriptors)
    {
        if (descriptors.IsEmpty)
        {
            return 0;
        }

        ArgumentOutOfRangeException.ThrowIfGreaterThan(descriptors.Length, MostDescriptors);
        var header = (ControlHeader*)control;
        int length = sizeof(ControlHeader) + (descriptors.Length * sizeof(int));
        *header = new ControlHeader { Length = (nuint)length, Level = Libc.SOL_SOCKET, Type = Libc.SCM_RIGHTS };
        int* values = (int*)(control + sizeof(ControlHeader));
        for (int index = 0; index < descriptors.Length; index++)
        {
            values[index] = descriptors[index].Descriptor;
        }

        return (int)Align((nuint)length);
    }

    /// <summary>Puts every descriptor under ownership and counts what else came.</summary>
    public static int Own(in MessageHeader message, List<DescriptorHandle> owned)
    {
        int others = 0;
        nuint offset = 0;
        while (offset + (nuint)sizeof(ControlHeader) <= message.ControlLength)
        {
            var header = (ControlHeader*)(message.Control + offset);
            if (header->Length < (nuint)sizeof(ControlHeader) || header->Length > message.ControlLength - offset)
            {
                break;
            }

            if (header->Level == Libc.SOL_SOCKET && header->Type == Libc.SCM_RIGHTS)
            {
                int count = (int)(header->Length - (nuint)sizeof(ControlHeader)) / sizeof(int);
                int* values = (int*)(message.Control + offset + sizeof(ControlHeader));
                for (int index = 0; index < count; index++)
                {
                    owned.Add(new DescriptorHandle(values[index]));
                }
            }
            else
            {
                others++;
            }

            offset += Align(header->Length);
        }

        return others;
    }

    public static nuint Align(nuint bytes) => (bytes + Alignment - 1) & ~(nuint)(Alignment - 1);
}
