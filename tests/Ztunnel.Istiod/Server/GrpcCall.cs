using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.IO.Pipelines;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;

namespace Ztunnel.Istiod.Server;

/// <summary>A call ends with this status.</summary>
public sealed class GrpcRefusal(int code, string message) : Exception(message)
{
    public int Code { get; } = code;
}

/// <summary>The server's side of one call.</summary>
public sealed class GrpcCall(HttpContext http)
{
    /// <summary>What istiod takes at most in one message.</summary>
    public const int MaxRequestBytes = 4 * 1024 * 1024;

    private const int ResourceExhausted = 8;

    public HttpContext Http => http;

    public string Path => http.Request.Path;

    public CancellationToken Aborted => http.RequestAborted;

    public string? Header(string name) => http.Request.Headers.TryGetValue(name, out var values) ? values.ToString() : null;

    /// <summary>The next message; null when the client has finished writing.</summary>
    public async Task<T?> ReadAsync<T>(MessageParser<T> parser)
        where T : class, IMessage<T>
    {
        PipeReader body = http.Request.BodyReader;
        ReadResult prefix = await body.ReadAtLeastAsync(5, http.RequestAborted);
        if (prefix.Buffer.Length < 5) return null;
        uint length = BinaryPrimitives.ReadUInt32BigEndian(prefix.Buffer.Slice(1, 4).ToArray());
        if (length > MaxRequestBytes) throw new GrpcRefusal(ResourceExhausted, $"grpc: received message larger than max ({length} vs. {MaxRequestBytes})");
        body.AdvanceTo(prefix.Buffer.GetPosition(5));
        ReadResult message = length == 0 ? default : await body.ReadAtLeastAsync((int)length, http.RequestAborted);
        if (length == 0) return parser.ParseFrom(ByteString.Empty);
        ReadOnlySequence<byte> payload = message.Buffer.Slice(0, length);
        T parsed = parser.ParseFrom(payload);
        body.AdvanceTo(payload.End);
        return parsed;
    }

    public async Task WriteAsync(IMessage message)
    {
        byte[] payload = message.ToByteArray();
        await WriteRawAsync(0, (uint)payload.Length, payload);
    }

    /// <summary>Writes a frame whose prefix may lie.</summary>
    public async Task WriteRawAsync(byte flag, uint length, byte[] payload)
    {
        http.Response.ContentType ??= "application/grpc";
        byte[] prefix = new byte[5];
        prefix[0] = flag;
        BinaryPrimitives.WriteUInt32BigEndian(prefix.AsSpan(1), length);
        await http.Response.Body.WriteAsync(prefix, http.RequestAborted);
        await http.Response.Body.WriteAsync(payload, http.RequestAborted);
        await http.Response.Body.FlushAsync(http.RequestAborted);
    }

    /// <summary>Ends the call: in the trailers when something was sent, else as a trailers-only answer.</summary>
    public void End(int status, string? message = null)
    {
        http.Response.ContentType ??= "application/grpc";
        if (http.Response.HasStarted)
        {
            http.Response.AppendTrailer("grpc-status", status.ToString(CultureInfo.InvariantCulture));
            if (message is not null) http.Response.AppendTrailer("grpc-message", message);
        }
        else
        {
            http.Response.Headers["grpc-status"] = status.ToString(CultureInfo.InvariantCulture);
            if (message is not null) http.Response.Headers["grpc-message"] = message;
        }
    }
}
