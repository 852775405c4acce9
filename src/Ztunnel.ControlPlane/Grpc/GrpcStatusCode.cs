namespace Ztunnel.ControlPlane.Grpc;

/// <summary>The status codes of gRPC.</summary>
public enum GrpcStatusCode
{
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

/// <summary>How a call ended, in the server's words or ours.</summary>
public readonly record struct GrpcStatus(GrpcStatusCode Code, string Detail)
{
    public override string ToString() => Detail.Length == 0 ? Code.ToString() : $"{Code}: {Detail}";
}

/// <summary>A call that ended with anything but OK.</summary>
public sealed class GrpcException : Exception
{
    public GrpcException(GrpcStatus status, Exception? cause = null)
        : base(status.ToString(), cause) => Status = status;

    public GrpcException(GrpcStatusCode code, string detail, Exception? cause = null)
        : this(new GrpcStatus(code, detail), cause)
    {
    }

    public GrpcStatus Status { get; }

    /// <summary>The status says what became of the connection, not what the server answered.</summary>
    public bool IsTransportFailure => InnerException is not null;
}
