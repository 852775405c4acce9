using Google.Protobuf;

namespace Ztunnel.ControlPlane.Grpc;

/// <summary>A method of a service: its path and how its answers are read.</summary>
public sealed class GrpcMethod<TRequest, TResponse>(string service, string method, MessageParser<TResponse> responses)
    where TRequest : IMessage<TRequest>
    where TResponse : IMessage<TResponse>
{
    public string Path { get; } = $"/{service}/{method}";

    // Fields of a newer peer are not needed, and a large push must not carry them along.
    public MessageParser<TResponse> Responses { get; } = responses.WithDiscardUnknownFields(true);
}
