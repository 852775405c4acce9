using System.Globalization;
using System.Net;
using Ztunnel.Http2;

namespace Ztunnel.Proxy.Connections;

/// <summary>Protocol codes in the words of the access log (data-path, appendix B).</summary>
internal static class ProtocolTexts
{
    public static string Describe(Http2ErrorCode code) => code switch
    {
        Http2ErrorCode.NoError => "not a result of an error",
        Http2ErrorCode.ProtocolError => "unspecific protocol error detected",
        Http2ErrorCode.InternalError => "unexpected internal error encountered",
        Http2ErrorCode.FlowControlError => "flow-control protocol violated",
        Http2ErrorCode.SettingsTimeout => "settings ACK not received in timely manner",
        Http2ErrorCode.StreamClosed => "received frame when stream half-closed",
        Http2ErrorCode.FrameSizeError => "frame with invalid size",
        Http2ErrorCode.RefusedStream => "refused stream before processing any application logic",
        Http2ErrorCode.Cancel => "stream no longer needed",
        Http2ErrorCode.CompressionError => "unable to maintain the header compression context",
        Http2ErrorCode.ConnectError => "connection established in response to a CONNECT request was reset or abnormally closed",
        Http2ErrorCode.EnhanceYourCalm => "detected excessive load generating behavior",
        Http2ErrorCode.InadequateSecurity => "security properties do not meet minimum requirements",
        Http2ErrorCode.Http11Required => "endpoint requires HTTP/1.1",
        _ => string.Create(CultureInfo.InvariantCulture, $"unknown reason {(uint)code}"),
    };

    /// <summary>Status code and reason phrase.</summary>
    public static string DescribeStatus(int status)
    {
        string phrase = ReasonPhrase(status);
        return phrase.Length == 0 ? status.ToString(CultureInfo.InvariantCulture) : string.Create(CultureInfo.InvariantCulture, $"{status} {phrase}");
    }

    // Those a CONNECT may be answered with; others appear as their number.
    private static string ReasonPhrase(int status) => (HttpStatusCode)status switch
    {
        HttpStatusCode.BadRequest => "Bad Request",
        HttpStatusCode.Unauthorized => "Unauthorized",
        HttpStatusCode.Forbidden => "Forbidden",
        HttpStatusCode.NotFound => "Not Found",
        HttpStatusCode.TooManyRequests => "Too Many Requests",
        HttpStatusCode.RequestHeaderFieldsTooLarge => "Request Header Fields Too Large",
        HttpStatusCode.InternalServerError => "Internal Server Error",
        HttpStatusCode.BadGateway => "Bad Gateway",
        HttpStatusCode.ServiceUnavailable => "Service Unavailable",
        HttpStatusCode.GatewayTimeout => "Gateway Timeout",
        _ => "",
    };
}
