namespace Ztunnel.InPod.Redirection;

/// <summary>One rule in the words of its tool.</summary>
/// <param name="Text">Without chain.</param>
/// <param name="WithoutIt">What breaks when it is not there.</param>
internal sealed record RedirectionRule(string Text, string WithoutIt);

/// <summary>What each rule is for, said as what happens without it: the words of `ztunnel redirect verify`.</summary>
internal static class RulePurpose
{
    public const string Inbound = "plaintext from outside reaches the application past policies and telemetry";

    public const string Outbound = "connections of the application leave unencrypted, past the proxy";

    public const string OwnConnections = "the proxy's connections to the application under the client's address are not recognised, and inbound connections hang";

    public const string AnswerRouting = "the application's answers are sent to the client instead of the proxy, and inbound connections hang";

    public const string Answers = "the application's answers to inbound connections are captured as if they were new, and inbound connections hang";

    public const string ProbeIn = "the kubelet's health probes are captured and fail under strict policies";

    public const string ProbeOut = "answers to the kubelet's health probes are captured, and probes fail";

    public const string InsideThePod = "an application that calls its own address is captured";

    public const string Established = "packets of connections that exist already are handed to the listener, and those of the proxy are cut";

    public const string DnsOverUdp = "DNS over UDP is not answered from the mesh";

    public const string DnsOverTcp = "DNS over TCP is not answered from the mesh";

    public const string DnsZone = "DNS queries of the proxy and of the application share ports, and answers get lost";

    public const string Hook = "none of the rules in that chain apply";

    public const string Routing = "the application's answers do not find the proxy, and inbound connections hang";

    public static string VirtualInterface(string name) => $"connections of guests behind {name} pass by the proxy";
}
