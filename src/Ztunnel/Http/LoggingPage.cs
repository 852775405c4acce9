using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Ztunnel.Telemetry.Logging;

namespace Ztunnel.Http;

/// <summary><c>/logging</c>: shows and changes the log filter (control-path 9.3). GET shows it, too.</summary>
internal sealed class LoggingPage(LogLevels levels, ILoggerFactory loggers)
{
    private const string Usage = """

        usage: POST /logging						(To list current level)
        usage: POST /logging?level=<level>				(To change global levels)
        usage: POST /logging?level={mod1}={level1},{mod2}={level2}	(To change specific mods' logging level)

        hint: loglevel:	error|warn|info|debug|trace|off
        hint: mod_name:	the module name, i.e. ztunnel::proxy

        """;

    private readonly ILogger _log = loggers.CreateLogger("telemetry");

    public Task AnswerAsync(HttpContext context)
    {
        bool shows = HttpMethods.IsGet(context.Request.Method);
        if (!shows && !HttpMethods.IsPost(context.Request.Method))
            return context.AnswerTextAsync(StatusCodes.Status405MethodNotAllowed, "Invalid HTTP method\n" + Usage);
        if (!shows && Change(context) is { } refused)
            return context.AnswerTextAsync(StatusCodes.Status400BadRequest, $"Invalid level provided: {refused}\n{Usage}");
        return context.AnswerTextAsync(StatusCodes.Status200OK, $"current log level is {levels.Current}\n");
    }

    /// <summary>The value that could not be read, or null.</summary>
    private string? Change(HttpContext context)
    {
        LogFilter filter = context.Query("reset") is not null ? levels.Initial : levels.Current;
        string level = context.Query("level") ?? "";
        if (!filter.TryAdd(level, out LogFilter changed, out _))
            return level;
        if (changed.ToString() == levels.Current.ToString())
            return null;
        levels.Replace(changed);
        DaemonLog.FilterChanged(_log, changed.ToString());
        return null;
    }
}
