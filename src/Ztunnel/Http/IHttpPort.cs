using System.Net;
using Microsoft.AspNetCore.Http;

namespace Ztunnel.Http;

/// <summary>What one of the HTTP ports answers.</summary>
public interface IHttpPort
{
    /// <summary>As log lines and start-up errors name it: admin, stats, readiness.</summary>
    string Component { get; }

    /// <summary>Where it listens.</summary>
    IReadOnlyList<IPEndPoint> Addresses { get; }

    /// <summary>Answers one request. What it throws becomes a 500 with the message.</summary>
    Task AnswerAsync(HttpContext context);
}
