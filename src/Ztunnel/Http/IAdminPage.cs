using Microsoft.AspNetCore.Http;

namespace Ztunnel.Http;

/// <summary>One path of the admin port.</summary>
public interface IAdminPage
{
    /// <summary>Without the leading slash.</summary>
    string Path { get; }

    /// <summary>For the list of commands.</summary>
    string Description { get; }

    Task AnswerAsync(HttpContext context);
}
