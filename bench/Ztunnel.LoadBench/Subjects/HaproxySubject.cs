using Ztunnel.LoadBench.Topology;

namespace Ztunnel.LoadBench.Subjects;

/// <summary>A pair of haproxies in TCP mode, with mutual TLS 1.3 between them or without; inside Debian 13 the encrypted pair costs per byte what upstream ztunnel does.</summary>
internal sealed class HaproxySubject(string name, bool isEncrypted) : Subject(name)
{
    private const string Program = "/usr/sbin/haproxy";

    public override bool IsEncrypted => isEncrypted;

    public override bool IsMain => isEncrypted;

    public override Task<ProxyPair> StartAsync(SubjectContext context)
    {
        BenchCertificates certificates = context.Certificates;
        string tls = $"ca-file {certificates.Root} verify required ciphersuites {BenchCertificates.CipherSuite}";
        string client = Configuration(context, "client", $"bind :{Testbed.CapturePort}",
            $"server wire {Testbed.ServerAddress}:{Testbed.WirePort}" + (isEncrypted ? $" ssl crt {certificates.ClientCombined} no-ssl-reuse ssl-min-ver TLSv1.3 {tls}" : ""));
        string server = Configuration(context, "server", $"bind :{Testbed.WirePort}" + (isEncrypted ? $" ssl crt {certificates.ServerCombined} no-tls-tickets ssl-min-ver TLSv1.3 {tls}" : ""),
            $"server application {Testbed.ServerAddress}:{Testbed.ApplicationPort}");
        return Task.FromResult(new ProxyPair(
            context.Start(context.Bed.Client, "client.log", NoEnvironment, Program, "-db", "-f", client),
            context.Start(context.Bed.Server, "server.log", NoEnvironment, Program, "-db", "-f", server)));
    }

    public override async Task<string> DescribeAsync(UserLand land, BinaryPaths binaries)
    {
        if (!land.Has(Program))
        {
            throw new BenchException($"{Name}: {Program} is missing; install haproxy");
        }

        string version = await land.AskAsync(Program, "-v");
        return $"{version.Split('\n')[0]}, tcp, 1 thread, 64 KiB buffers{(isEncrypted ? "" : ", no TLS")}";
    }

    // maxconn: haproxy refuses to start when it cannot have two descriptors for each connection and some for itself.
    private static string Configuration(SubjectContext context, string side, string bind, string server) => context.Write($"{side}.cfg",
        $"""
        global
          nbthread 1
          maxconn {(FileLimit.Hard - 200) / 2}
          tune.bufsize 65536
          tune.ssl.cachesize 0
        defaults
          mode tcp
          timeout connect 5s
          timeout client 1h
          timeout server 1h
        frontend in
          {bind}
          default_backend out
        backend out
          {server}

        """);
}
