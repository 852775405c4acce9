using Google.Protobuf;
using Ztunnel.ControlPlane.Xds.Translation;

namespace Ztunnel.ControlPlane.Xds;

/// <summary>Reads the bytes of a resource, whatever they are.</summary>
internal static class ResourceDecoder
{
    /// <exception cref="RejectedResourceException">They are no such message; the reason begins with "decode error".</exception>
    internal static T Decode<T>(MessageParser<T> parser, ByteString bytes)
        where T : IMessage<T>
    {
        try
        {
            return parser.ParseFrom(bytes);
        }
        // The library says InvalidOperationException where the value of a wrapper field (Workload.capacity) is cut off.
        catch (Exception error) when (error is InvalidProtocolBufferException or InvalidOperationException)
        {
            throw new RejectedResourceException($"decode error: {error.Message}");
        }
    }
}
