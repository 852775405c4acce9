using System.Text;
using Microsoft.AspNetCore.Http;

namespace Ztunnel.Http.Dashboard;

/// <summary><c>/</c> of the admin port: one page that needs nothing from elsewhere. It lists the commands and, in a browser, shows the state of <see cref="StatePage"/> as it changes.</summary>
internal sealed class DashboardPage
{
    private const string Html = "text/html; charset=utf-8";
    private const string Template = "Ztunnel.Http.Dashboard.dashboard.html";
    private const string CommandsMark = "<!--commands-->";

    // Nothing but the page itself may run in it, whatever a workload is called.
    private const string Policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private readonly string _page;

    public DashboardPage(IEnumerable<(string Path, string Description)> commands)
    {
        using var reader = new StreamReader(typeof(DashboardPage).Assembly.GetManifestResourceStream(Template)!, Encoding.UTF8);
        string rows = string.Concat(commands.Select(static command => $"<tr><td><a href=\"{command.Path}\">{command.Path}</a></td><td>{command.Description}</td></tr>\n"));
        _page = reader.ReadToEnd().Replace(CommandsMark, rows, StringComparison.Ordinal);
    }

    public Task AnswerAsync(HttpContext context)
    {
        context.Response.Headers.ContentSecurityPolicy = Policy;
        return context.AnswerTextAsync(StatusCodes.Status200OK, _page, Html);
    }
}
