namespace Ztunnel.Telemetry.Logging;

/// <summary>How lines look (data-path 9.1).</summary>
public enum LogFormat
{
    /// <summary><c>time TAB level TAB target:spans TAB message TAB key=value key=value</c>.</summary>
    Plain,

    /// <summary>One object a line: <c>level</c>, <c>time</c>, <c>scope</c>, <c>message</c>, the fields, one object for each span.</summary>
    Json,
}
