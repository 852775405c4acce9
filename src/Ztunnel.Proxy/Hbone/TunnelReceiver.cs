using Ztunnel.Linux.Buffers;
using Ztunnel.Tls.Records;

namespace Ztunnel.Proxy.Hbone;

/// <summary>The receiving half of a tunnel: records are opened where they lie, HTTP/2 is fed with the plaintext, payloads leave for the applications from there.</summary>
internal sealed class TunnelReceiver(HboneConnection tunnel)
{
    /// <summary>Opens the whole records of <paramref name="buffer"/> between two positions. When it returns nobody needs those bytes any more.</summary>
    /// <returns>Where the first incomplete record begins; the end once the tunnel is closed.</returns>
    public int Open(NativeBuffer buffer, int position, int end)
    {
        while (position < end && !tunnel.IsClosed)
        {
            OpenResult record = tunnel.Session.Open(buffer.Span[position..end]);
            if (record.Kind == OpenKind.NeedMore)
                break;

            int payload = position + record.Offset;
            position += record.Consumed;
            switch (record.Kind)
            {
                case OpenKind.Data:
                    tunnel.OnPlaintext(buffer, payload, record.Length);
                    break;
                case OpenKind.Control:
                    tunnel.Sender.Schedule();   // a KeyUpdate may want its answer
                    break;
                case OpenKind.CloseNotify:
                    tunnel.OnEndOfStream();
                    break;
                default:
                    tunnel.OnRecordFailed();
                    break;
            }
        }

        // The buffer is about to be reused: everything gathered from it must have left.
        tunnel.Deliveries.Flush();
        MeasurePath();
        return tunnel.IsClosed ? end : position;
    }

    /// <summary>Some hundred times a second while bytes arrive.</summary>
    private void MeasurePath()
    {
        long now = tunnel.Loop.NowMilliseconds;
        if (!tunnel.IsClosed && tunnel.Http2.IsRoundTripWanted(now) && tunnel.Transport.ReadRoundTrip() is { } roundTrip)
            tunnel.Http2.OnRoundTrip(now, roundTrip);
    }
}
