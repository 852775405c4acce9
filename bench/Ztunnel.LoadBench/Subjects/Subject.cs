using Ztunnel.LoadBench.Topology;

namespace Ztunnel.LoadBench.Subjects;

/// <summary>One way from the client pod to the server pod: a pair of proxies, and how they are configured and started.</summary>
internal abstract class Subject(string name)
{
    protected static readonly IReadOnlyDictionary<string, string> NoEnvironment = new Dictionary<string, string>();

    /// <summary>Every subject that a run may name, in the order of the tables.</summary>
    public static IReadOnlyList<Subject> All { get; } =
    [
        new DirectSubject(),
        new RelaySubject(),
        new HaproxySubject("haproxy-plain", isEncrypted: false),
        new ZtunnelSubject("ztunnel-plain", workers: 1, isPlain: true),
        new StunnelSubject(),
        new NginxSubject("nginx", workers: 1),
        new NginxSubject("nginx-2", workers: 2),
        new HaproxySubject("haproxy", isEncrypted: true),
        new ZtunnelSubject("ztunnel", workers: 1),
        new ZtunnelSubject("ztunnel-2", workers: 2),
    ];

    public string Name => name;

    /// <summary>Whether the client's connections are redirected to a proxy in its namespace.</summary>
    public virtual bool IsCaptured => true;

    /// <summary>Encrypted on the wire: those that comparisons of encrypting proxies are about.</summary>
    public abstract bool IsEncrypted { get; }

    /// <summary>Asked everything; the others only the core questions, unless a run names its subjects.</summary>
    public virtual bool IsMain => true;

    /// <summary>How many connections it is asked to hold without traffic; a handshake for each takes its time.</summary>
    public virtual int MostIdleConnections => 10_000;

    public static Subject Find(string name) =>
        All.FirstOrDefault(subject => subject.Name == name)
        ?? throw new BenchException($"--subjects {name}: expected some of {string.Join(", ", All.Select(static subject => subject.Name))}");

    /// <summary>Changes the testbed where the usual capture is not what this subject is about.</summary>
    public virtual Task PrepareAsync(Testbed bed) => Task.CompletedTask;

    /// <summary>Starts both proxies; it need not wait until they serve.</summary>
    public abstract Task<ProxyPair> StartAsync(SubjectContext context);

    /// <summary>Program and library versions for the report; empty where there is nothing to say.</summary>
    public abstract Task<string> DescribeAsync(UserLand land, BinaryPaths binaries);
}

/// <summary>What a subject needs to start: where, with which programs, certificates and files of its own.</summary>
internal sealed record SubjectContext(Testbed Bed, UserLand Land, BinaryPaths Binaries, BenchCertificates Certificates, string Folder)
{
    /// <summary>Starts a program in one of the two namespaces, in the user land under test.</summary>
    public BackgroundProcess Start(string networkNamespace, string log, IReadOnlyDictionary<string, string> environment, params string[] commandLine) =>
        BackgroundProcess.Start(Path.Combine(Folder, log), environment, Land.Enter(networkNamespace, commandLine));

    public string Write(string file, string content)
    {
        string path = Path.Combine(Folder, file);
        File.WriteAllText(path, content);
        return path;
    }
}

/// <summary>The native programs: this one and the proxy.</summary>
internal sealed record BinaryPaths(string Bench, string? Ztunnel);

/// <summary>The two running proxies; none for a direct connection.</summary>
internal sealed record ProxyPair(BackgroundProcess? Client, BackgroundProcess? Server) : IAsyncDisposable
{
    public IEnumerable<BackgroundProcess> Processes => new[] { Client, Server }.OfType<BackgroundProcess>();

    /// <summary>Process ids as the load client takes them: client side, then server side.</summary>
    public string Watch => string.Join(';', Processes.Select(static process => string.Join(',', process.Family)));

    public async ValueTask DisposeAsync()
    {
        foreach (BackgroundProcess process in Processes)
        {
            await process.DisposeAsync();
        }
    }
}
