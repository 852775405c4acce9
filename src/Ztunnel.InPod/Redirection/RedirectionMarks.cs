namespace Ztunnel.InPod.Redirection;

/// <summary>Numbers that the rules, our sockets and the Istio node agent agree on (istio-integration 2.1).</summary>
public static class RedirectionMarks
{
    /// <summary>Every socket of ours in a pod carries it; the rules leave such packets alone.</summary>
    public const uint OwnMark = 0x539;

    public const int LocalDeliveryTable = 100;

    public const int RulePreference = 32764;

    /// <summary>Conntrack zone of our own DNS queries: apart from the application's redirected ones, which may use the same ports.</summary>
    public const int DnsZone = 1;

    public const int OutboundPort = 15001;

    public const int InboundPassthroughPort = 15006;

    public const int HbonePort = 15008;

    public const int DnsProxyPort = 15053;

    // Only the low 12 bits are ours; the others belong to whoever else marks packets in the pod.
    internal const string OwnMarkText = "0x539/0xfff";

    /// <summary>Connection mark of what we sent to the application under the client's address; its answers get it as packet mark and are delivered to us.</summary>
    internal const string LocalDeliveryMarkText = "0x111/0xfff";
}
