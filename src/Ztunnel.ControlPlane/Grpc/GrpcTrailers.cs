using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace Ztunnel.ControlPlane.Grpc;

/// <summary>Reads how a call ended from its trailers, or from its headers when there is no body (a trailers-only answer).</summary>
internal static class GrpcTrailers
{
    private const string StatusName = "grpc-status";
    private const string MessageName = "grpc-message";

    /// <summary>The status in these headers, or null when they hold none.</summary>
    public static GrpcStatus? TryReadStatus(HttpHeaders headers)
    {
        if (First(headers, StatusName) is not { } text) return null;

        string detail = First(headers, MessageName) is { } message ? PercentDecode(message) : "";
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int code) && code <= (int)GrpcStatusCode.Unauthenticated
            ? new GrpcStatus((GrpcStatusCode)code, detail)
            : new GrpcStatus(GrpcStatusCode.Unknown, $"status '{text}': {detail}");
    }

    /// <summary>Refuses an answer that is no gRPC: a proxy in between, a wrong port. Null: it is one.</summary>
    public static GrpcStatus? RefuseForeign(HttpResponseMessage response)
    {
        if (response.StatusCode != HttpStatusCode.OK)
        {
            int status = (int)response.StatusCode;
            return new GrpcStatus(FromHttp(response.StatusCode), $"HTTP status {status.ToString(CultureInfo.InvariantCulture)} instead of a gRPC answer");
        }
        string? type = response.Content.Headers.ContentType?.MediaType;
        return type is not null && (type == "application/grpc" || type.StartsWith("application/grpc+", StringComparison.Ordinal))
            ? null
            : new GrpcStatus(GrpcStatusCode.Unknown, $"content type '{type}' instead of application/grpc");
    }

    // The table of the gRPC project's "HTTP to gRPC Status Code Mapping".
    private static GrpcStatusCode FromHttp(HttpStatusCode status) => status switch
    {
        HttpStatusCode.BadRequest => GrpcStatusCode.Internal,
        HttpStatusCode.Unauthorized => GrpcStatusCode.Unauthenticated,
        HttpStatusCode.Forbidden => GrpcStatusCode.PermissionDenied,
        HttpStatusCode.NotFound => GrpcStatusCode.Unimplemented,
        HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout => GrpcStatusCode.Unavailable,
        _ => GrpcStatusCode.Unknown,
    };

    private static string? First(HttpHeaders headers, string name) =>
        headers.NonValidated.TryGetValues(name, out HeaderStringValues values) ? values.FirstOrDefault() : null;

    /// <summary>grpc-message carries UTF-8 with the bytes outside printable ASCII, and '%', as %XX. What is not well formed stays as it is.</summary>
    internal static string PercentDecode(string text)
    {
        if (!text.Contains('%')) return text;

        byte[] bytes = new byte[Encoding.UTF8.GetMaxByteCount(text.Length)];
        int length = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '%' && i + 2 < text.Length && byte.TryParse(text.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value))
            {
                bytes[length++] = value;
                i += 2;
            }
            else
            {
                length += Encoding.UTF8.GetBytes(text.AsSpan(i, 1), bytes.AsSpan(length));
            }
        }
        return Encoding.UTF8.GetString(bytes, 0, length);
    }
}
