using System.Net;
using Ztunnel.Telemetry.Logging;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy.Connections;

/// <summary>The end of a connection that has no books yet, because it is not known what it is (data-path 9.3): one line, one count.</summary>
internal static class Refusal
{
    public static void Record(ProxyLoop loop, Reporter reporter, IPEndPoint source, IPEndPoint destination, in ConnectionOutcome outcome, UInt128 traceId = default)
    {
        loop.Context.Outcomes.Ended(loop.Loop.Index, reporter, outcome.Reason);
        loop.Context.Access.Denied(new DenialRecord
        {
            Reporter = reporter,
            Source = source,
            Destination = destination,
            Error = outcome.Error!,
            Reason = outcome.Code,
            TraceId = traceId,
        });
    }
}
