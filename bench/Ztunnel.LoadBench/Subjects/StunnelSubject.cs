using Ztunnel.LoadBench.Topology;

namespace Ztunnel.LoadBench.Subjects;

/// <summary>A pair of stunnels, the plain way to put TLS around a connection: mutual TLS 1.3, one thread for each connection.</summary>
internal sealed class StunnelSubject() : Subject("stunnel")
{
    private const string Program = "/usr/bin/stunnel4";

    public override bool IsEncrypted => true;

    public override bool IsMain => false;

    // A thread for each: more would measure the machine's limit of threads.
    public override int MostIdleConnections => 1000;

    public override Task<ProxyPair> StartAsync(SubjectContext context)
    {
        BenchCertificates certificates = context.Certificates;
        string client = Configuration(context, "client", certificates.ClientCombined,
            $"""
            client = yes
            accept = 0.0.0.0:{Testbed.CapturePort}
            connect = {Testbed.ServerAddress}:{Testbed.WirePort}
            checkHost = {BenchCertificates.ServerName}
            """);
        string server = Configuration(context, "server", certificates.ServerCombined,
            $"""
            accept = 0.0.0.0:{Testbed.WirePort}
            connect = {Testbed.ServerAddress}:{Testbed.ApplicationPort}
            """);
        return Task.FromResult(new ProxyPair(
            context.Start(context.Bed.Client, "client.log", NoEnvironment, Program, client), context.Start(context.Bed.Server, "server.log", NoEnvironment, Program, server)));
    }

    public override async Task<string> DescribeAsync(UserLand land, BinaryPaths binaries)
    {
        if (!land.Has(Program))
        {
            throw new BenchException($"{Name}: {Program} is missing; install stunnel4");
        }

        // [ ] Initializing inetd mode configuration / stunnel 5.68 on x86_64-pc-linux-gnu platform
        string line = (await land.AskAsync(Program, "-version")).Split('\n').FirstOrDefault(static line => line.Contains("stunnel 5", StringComparison.Ordinal)) ?? "stunnel";
        return $"{line[line.IndexOf("stunnel", StringComparison.Ordinal)..].Trim()}, a thread for each connection";
    }

    private static string Configuration(SubjectContext context, string side, string combined, string service) => context.Write($"{side}.conf",
        $"""
        foreground = quiet
        pid =
        debug = 3
        socket = l:TCP_NODELAY=1
        socket = r:TCP_NODELAY=1
        [wire]
        {service}
        cert = {combined}
        CAfile = {context.Certificates.Root}
        verifyChain = yes
        sslVersionMin = TLSv1.3
        ciphersuites = {BenchCertificates.CipherSuite}
        sessionResume = no

        """);
}
