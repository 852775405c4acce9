using System.Globalization;
using System.Net;

namespace Ztunnel.Dns.Forwarding;

/// <summary>What resolv.conf(5) says: whom to ask, how long to wait, and which domains the client's library appends.</summary>
public sealed record ResolverConfiguration
{
    public const string DefaultPath = "/etc/resolv.conf";

    private const int Port = 53;
    private const int MostServers = 8;
    private const int MostAttempts = 5;
    private const int MostTimeoutSeconds = 30;

    public IReadOnlyList<IPEndPoint> Servers { get; init; } = [];

    public IReadOnlyList<string> SearchDomains { get; init; } = [];

    /// <summary><c>options timeout:</c>, default 5 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary><c>options attempts:</c>, default 2.</summary>
    public int Attempts { get; init; } = 2;

    /// <summary>Reads the file's text; what is not understood is passed over, as every resolver does.</summary>
    public static ResolverConfiguration Parse(string text)
    {
        var servers = new List<IPEndPoint>();
        var configuration = new ResolverConfiguration();
        foreach (string line in text.Split('\n'))
        {
            string[] words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (words.Length < 2)
                continue;
            switch (words[0])
            {
                case "nameserver":
                    if (IPAddress.TryParse(words[1], out IPAddress? address) && servers.Count < MostServers)
                        servers.Add(new IPEndPoint(address, Port));
                    break;
                case "search" or "domain":
                    configuration = configuration with { SearchDomains = words[1..] }; // the last one counts
                    break;
                case "options":
                    foreach (string option in words.AsSpan(1))
                        configuration = configuration.With(option);
                    break;
                default:
                    break;
            }
        }

        return configuration with { Servers = servers };
    }

    private ResolverConfiguration With(string option)
    {
        int colon = option.IndexOf(':', StringComparison.Ordinal);
        if (colon < 0 || !int.TryParse(option.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int value) || value < 1)
            return this;
        return option[..colon] switch
        {
            "timeout" => this with { Timeout = TimeSpan.FromSeconds(Math.Min(value, MostTimeoutSeconds)) },
            "attempts" => this with { Attempts = Math.Min(value, MostAttempts) },
            _ => this,
        };
    }
}
