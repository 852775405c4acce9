using System.Net;
using Microsoft.AspNetCore.Http;
using Ztunnel.Lifetime;

namespace Ztunnel.Http;

/// <summary>15021: whether traffic may be sent here (control-path 9.4).</summary>
public sealed class ReadinessPort(IReadOnlyList<IPEndPoint> addresses, Readiness readiness) : IHttpPort
{
    public string Component => "readiness";

    public IReadOnlyList<IPEndPoint> Addresses { get; } = addresses;

    public Task AnswerAsync(HttpContext context)
    {
        if (context.Request.Path != "/healthz/ready")
            return context.AnswerEmptyAsync(StatusCodes.Status404NotFound);
        if (!HttpMethods.IsGet(context.Request.Method))
            return context.AnswerEmptyAsync(StatusCodes.Status405MethodNotAllowed);
        // 500, not 503: what the existing program answers and probes of the chart expect.
        return readiness.Pending is { Count: > 0 } pending
            ? context.AnswerTextAsync(StatusCodes.Status500InternalServerError, $"not ready, pending: {string.Join(", ", pending)}\n")
            : context.AnswerTextAsync(StatusCodes.Status200OK, "ready\n");
    }
}
