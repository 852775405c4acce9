namespace Ztunnel.ControlPlane.Grpc;

/// <summary>What one call has of its own.</summary>
public readonly record struct GrpcCallOptions
{
    /// <summary>The time the whole call may take. Null: no limit.</summary>
    public TimeSpan? Timeout { get; init; }
}
