using Ztunnel.LoadBench.Topology;

namespace Ztunnel.LoadBench.Subjects;

/// <summary>A pair of nginx stream proxies with mutual TLS 1.3 between them, one TLS connection for each application connection.</summary>
internal sealed class NginxSubject(string name, int workers) : Subject(name)
{
    private const string Program = "/usr/sbin/nginx";
    private const string StreamModule = "/usr/lib/nginx/modules/ngx_stream_module.so";

    public override bool IsEncrypted => true;

    public override bool IsMain => workers == 1;

    public override Task<ProxyPair> StartAsync(SubjectContext context)
    {
        BenchCertificates certificates = context.Certificates;
        string client = Configuration(context, "client",
            $$"""
              server {
                listen {{Testbed.CapturePort}} backlog=4096{{ReusePort}};
                proxy_pass {{Testbed.ServerAddress}}:{{Testbed.WirePort}};
                proxy_ssl on;
                proxy_ssl_protocols TLSv1.3;
                proxy_ssl_conf_command Ciphersuites {{BenchCertificates.CipherSuite}};
                proxy_ssl_session_reuse off;
                proxy_ssl_certificate {{certificates.ClientChain}};
                proxy_ssl_certificate_key {{certificates.ClientKey}};
                proxy_ssl_trusted_certificate {{certificates.Root}};
                proxy_ssl_verify on;
                proxy_ssl_name {{BenchCertificates.ServerName}};
              }
            """);
        string server = Configuration(context, "server",
            $$"""
              server {
                listen {{Testbed.WirePort}} ssl backlog=4096{{ReusePort}};
                proxy_pass {{Testbed.ServerAddress}}:{{Testbed.ApplicationPort}};
                ssl_protocols TLSv1.3;
                ssl_conf_command Ciphersuites {{BenchCertificates.CipherSuite}};
                ssl_session_tickets off;
                ssl_session_cache off;
                ssl_certificate {{certificates.ServerChain}};
                ssl_certificate_key {{certificates.ServerKey}};
                ssl_client_certificate {{certificates.Root}};
                ssl_verify_client on;
              }
            """);
        return Task.FromResult(new ProxyPair(
            context.Start(context.Bed.Client, "client.log", NoEnvironment, Program, "-e", "stderr", "-c", client),
            context.Start(context.Bed.Server, "server.log", NoEnvironment, Program, "-e", "stderr", "-c", server)));
    }

    public override async Task<string> DescribeAsync(UserLand land, BinaryPaths binaries)
    {
        if (!land.Has(Program) || !land.Has(StreamModule))
        {
            throw new BenchException($"{Name}: {Program} or {StreamModule} is missing; install nginx-core and libnginx-mod-stream");
        }

        return $"{await land.AskAsync(Program, "-v")}, stream, {workers} worker{(workers == 1 ? "" : "s")}, 64 KiB buffers";
    }

    private string ReusePort => workers > 1 ? " reuseport" : "";

    // 64 KiB: the size at which nginx was found to need the least CPU per byte; its default of 16 KiB would be an easy opponent.
    private string Configuration(SubjectContext context, string side, string server) => context.Write($"{side}.conf",
        $$"""
        daemon off;
        user root;
        worker_processes {{workers}};
        worker_rlimit_nofile {{FileLimit.Hard}};
        pid {{context.Folder}}/{{side}}.pid;
        error_log stderr warn;
        load_module {{StreamModule}};
        events { worker_connections {{FileLimit.Hard}}; }
        stream {
          access_log off;
          tcp_nodelay on;
          proxy_buffer_size 64k;
          proxy_timeout 1h;
        {{server}}
        }

        """);
}
