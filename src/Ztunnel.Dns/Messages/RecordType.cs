namespace Ztunnel.Dns.Messages;

/// <summary>Record types: the ones that are acted on, and the names of those that occur in practice for log and labels.</summary>
internal static class RecordType
{
    public const ushort A = 1;
    public const ushort Cname = 5;
    public const ushort Ptr = 12;
    public const ushort Aaaa = 28;
    public const ushort Opt = 41;

    public const ushort InternetClass = 1;

    // A client may ask for any of 65,536 types; as labels all that are not listed are one, so that a pod cannot fill the metrics.
    private const string Other = "UNKNOWN";

    public static string Name(ushort type) => type switch
    {
        A => "A",
        2 => "NS",
        Cname => "CNAME",
        6 => "SOA",
        Ptr => "PTR",
        13 => "HINFO",
        15 => "MX",
        16 => "TXT",
        Aaaa => "AAAA",
        33 => "SRV",
        35 => "NAPTR",
        Opt => "OPT",
        43 => "DS",
        44 => "SSHFP",
        46 => "RRSIG",
        47 => "NSEC",
        48 => "DNSKEY",
        50 => "NSEC3",
        52 => "TLSA",
        64 => "SVCB",
        65 => "HTTPS",
        251 => "IXFR",
        252 => "AXFR",
        255 => "ANY",
        257 => "CAA",
        _ => Other,
    };

    public static string Label(ushort type) => type switch
    {
        A => "a",
        Aaaa => "aaaa",
        _ => Name(type).ToLowerInvariant(),
    };
}
