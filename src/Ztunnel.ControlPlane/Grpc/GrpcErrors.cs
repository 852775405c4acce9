using System.Text;

namespace Ztunnel.ControlPlane.Grpc;

/// <summary>Gives a failure of the transport the status that gRPC has for it.</summary>
internal static class GrpcErrors
{
    public static GrpcException FromTransport(Exception error, string what) => error switch
    {
        GrpcException grpc => grpc,
        // How the handler reports its connect limit.
        OperationCanceledException { InnerException: TimeoutException } => new GrpcException(GrpcStatusCode.Unavailable, $"{what}: no connection in time", error),
        OperationCanceledException => new GrpcException(GrpcStatusCode.Cancelled, $"{what}: cancelled", error),
        _ => new GrpcException(CodeOf(error), $"{what}: {Describe(error)}", error),
    };

    private static GrpcStatusCode CodeOf(Exception error)
    {
        for (Exception? e = error; e is not null; e = e.InnerException)
        {
            // The table of "Errors" in the gRPC over HTTP/2 protocol description.
            if (e is HttpProtocolException protocol)
            {
                return protocol.ErrorCode switch
                {
                    0x7 => GrpcStatusCode.Unavailable,          // REFUSED_STREAM
                    0x8 => GrpcStatusCode.Cancelled,            // CANCEL
                    0xb => GrpcStatusCode.ResourceExhausted,    // ENHANCE_YOUR_CALM
                    0xc => GrpcStatusCode.PermissionDenied,     // INADEQUATE_SECURITY
                    _ => GrpcStatusCode.Internal,
                };
            }
        }
        return GrpcStatusCode.Unavailable;
    }

    /// <summary>The messages of the whole chain of causes: the innermost is mostly the one that helps.</summary>
    public static string Describe(Exception error)
    {
        StringBuilder text = new();
        for (Exception? e = error; e is not null; e = e.InnerException)
        {
            // Outer messages tend to repeat inner ones.
            if (text.Length > 0 && text.ToString().Contains(e.Message, StringComparison.Ordinal)) continue;
            if (text.Length > 0) text.Append(": ");
            text.Append(e.Message);
        }
        return text.ToString();
    }
}
