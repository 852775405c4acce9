using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Ztunnel.Http.Dashboard;
using Ztunnel.Telemetry.Logging;

namespace Ztunnel.Http;

/// <summary>15000, loopback only: what operators and istioctl ask (control-path 9.1).</summary>
public sealed class AdminPort : IHttpPort
{
    private readonly LoggingPage _logging;
    private readonly Action _shutDown;
    private readonly Dictionary<string, Page> _pages;
    private readonly DashboardPage _dashboard;

    /// <param name="addresses">Loopback addresses.</param>
    /// <param name="levels">The filter that <c>/logging</c> changes.</param>
    /// <param name="shutDown">What <c>/quitquitquit</c> does.</param>
    /// <param name="dump">Writes the state for <c>/config_dump</c>.</param>
    /// <param name="more">Further pages.</param>
    /// <param name="loggers">For the line about a changed filter.</param>
    public AdminPort(IReadOnlyList<IPEndPoint> addresses, LogLevels levels, Action shutDown, IConfigDump dump, IEnumerable<IAdminPage> more, ILoggerFactory loggers)
    {
        Addresses = addresses;
        _logging = new LoggingPage(levels, loggers);
        _shutDown = shutDown;
        _pages = new Dictionary<string, Page>(StringComparer.Ordinal)
        {
            ["debug/pprof/profile"] = new("CPU profile: not available in this build, see the answer for what is", ProfileAsync),
            ["debug/pprof/heap"] = new("what the process holds in memory, as text", HeapAsync),
            ["debug/pprof/heap/profiling"] = new("whether heap profiling is active", HeapProfilingAsync),
            ["quitquitquit"] = new("shut down the server", ShutDownAsync),
            ["config_dump"] = new("dump the current Ztunnel configuration", context => dump.AnswerAsync(context)),
            ["logging"] = new("query/changing logging levels", _logging.AnswerAsync),
        };
        foreach (IAdminPage page in more)
            _pages.Add(page.Path, new Page(page.Description, page.AnswerAsync));
        _dashboard = new DashboardPage(_pages.Select(static page => (page.Key, page.Value.Description)));
    }

    public string Component => "admin";

    public IReadOnlyList<IPEndPoint> Addresses { get; }

    public Task AnswerAsync(HttpContext context)
    {
        string path = context.Request.Path.Value?.TrimStart('/') ?? "";
        if (path.Length == 0)
            return _dashboard.AnswerAsync(context);
        return _pages.TryGetValue(path, out Page? page) ? page.AnswerAsync(context) : context.AnswerEmptyAsync(StatusCodes.Status404NotFound);
    }

    private Task ShutDownAsync(HttpContext context)
    {
        if (!HttpMethods.IsPost(context.Request.Method))
            return context.AnswerEmptyAsync(StatusCodes.Status405MethodNotAllowed);
        // The answer is part of what the drain waits for.
        context.Response.OnCompleted(() =>
        {
            _shutDown();
            return Task.CompletedTask;
        });
        return context.AnswerTextAsync(StatusCodes.Status200OK, "shutdown now\n");
    }

    private static Task ProfileAsync(HttpContext context) => context.AnswerTextAsync(
        StatusCodes.Status501NotImplemented,
        "CPU profiles are not available in a native binary of this runtime; see /debug/loops for what loops and threads use, or use `perf record -g -p PID` on the node\n");

    private static Task HeapAsync(HttpContext context)
    {
        GCMemoryInfo memory = GC.GetGCMemoryInfo();
        return context.AnswerTextAsync(
            StatusCodes.Status200OK,
            $"managed heap: {memory.HeapSizeBytes} bytes, of it fragmented: {memory.FragmentedBytes} bytes, committed: {memory.TotalCommittedBytes} bytes\n"
            + $"collections of generation 0, 1, 2: {GC.CollectionCount(0)}, {GC.CollectionCount(1)}, {GC.CollectionCount(2)}; paused {GC.GetTotalPauseDuration().TotalMilliseconds:F1} ms in all\n"
            + $"allocated since the start: {GC.GetTotalAllocatedBytes()} bytes\nworking set: {Environment.WorkingSet} bytes\n");
    }

    private static Task HeapProfilingAsync(HttpContext context) => context.Query("activate") switch
    {
        null or "false" => context.AnswerTextAsync(StatusCodes.Status200OK, "heap profiling active: false\n"),
        "true" => context.AnswerTextAsync(StatusCodes.Status501NotImplemented, "heap profiling is not available in a native binary of this runtime; see /debug/pprof/heap for figures\n"),
        { } value => context.AnswerTextAsync(StatusCodes.Status400BadRequest, $"invalid activate value \"{value}\"; expected true or false"),
    };

    private sealed record Page(string Description, Func<HttpContext, Task> AnswerAsync);
}

/// <summary>Writes <c>/config_dump</c>.</summary>
public interface IConfigDump
{
    Task AnswerAsync(HttpContext context);
}
