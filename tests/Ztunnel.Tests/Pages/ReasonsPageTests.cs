using System.Text;
using Ztunnel.Proxy.Connections;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Tests.Pages;

/// <summary>deploy/reasons.md is the table of <see cref="EndReasons"/>.</summary>
public sealed class ReasonsPageTests
{
    private const string Head = """
        # Reason codes

        Why a connection ended, failed or was refused. The access log says it in the field `reason` (left out for an ordinary end), the metric `ztunnel_connections_ended_total` in its label `reason`, with the side that has to act in `fault`. The flag is the value
        of `response_flags` in the traffic metrics; `-` there means that the connection was refused before it was known what it is, or was not a failure.

        | code | who has to act | flag | what to check |
        |---|---|---|---|

        """;

    [Fact]
    public void Page_ListsEveryReason()
    {
        var page = new StringBuilder(Head);
        foreach (EndReasonEntry entry in EndReasons.All.Skip(1))
            page.Append($"| `{entry.Code}` | {Side(entry.Fault)} | `{ResponseFlagText.Word(entry.ResponseFlag)}` | {entry.Advice} |\n");

        GeneratedPage.AssertIs("reasons.md", page.ToString());
    }

    private static string Side(FaultSide side) => side switch
    {
        FaultSide.Nobody => "nobody",
        FaultSide.Source => "source application",
        FaultSide.Destination => "destination application",
        FaultSide.Policy => "policy",
        FaultSide.Network => "network",
        FaultSide.ControlPlane => "control plane",
        _ => "this proxy",
    };
}
