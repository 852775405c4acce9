using System.Text;
using Microsoft.AspNetCore.Http;

namespace Ztunnel.Http;

/// <summary>The few forms that answers take.</summary>
internal static class HttpAnswers
{
    public const string PlainText = "text/plain";

    /// <summary>A status without a body.</summary>
    public static Task AnswerEmptyAsync(this HttpContext context, int status)
    {
        context.Response.StatusCode = status;
        context.Response.ContentLength = 0;
        return Task.CompletedTask;
    }

    public static async Task AnswerTextAsync(this HttpContext context, int status, string text, string? contentType = PlainText)
    {
        byte[] body = Encoding.UTF8.GetBytes(text);
        context.Response.StatusCode = status;
        if (contentType is not null)
            context.Response.Headers.ContentType = contentType;
        context.Response.Headers.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body, context.RequestAborted).ConfigureAwait(false);
    }

    /// <summary>One value of the query; null when it is not there. Parameters without <c>=</c> have an empty value.</summary>
    public static string? Query(this HttpContext context, string name)
    {
        foreach (string pair in (context.Request.QueryString.Value ?? "").TrimStart('?').Split('&'))
        {
            int equals = pair.IndexOf('=', StringComparison.Ordinal);
            string key = equals < 0 ? pair : pair[..equals];
            if (key.Length > 0 && Uri.UnescapeDataString(key) == name)
                return equals < 0 ? "" : Uri.UnescapeDataString(pair[(equals + 1)..].Replace('+', ' '));
        }

        return null;
    }
}
