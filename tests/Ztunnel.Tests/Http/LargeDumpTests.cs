using System.IO.Pipelines;
using System.Net;
using Ztunnel.ControlPlane.LocalFile;
using Ztunnel.Http.Dump;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;
using Ztunnel.Tls.Certificates;

namespace Ztunnel.Tests.Http;

/// <summary>What a dump of a large mesh costs in memory (design section 5).</summary>
public sealed class LargeDumpTests
{
    private const int Workloads = 100_000;
    private const int Services = 10_000;
    private static readonly PortMap Ports = PortMap.Create(((ushort)80, (ushort)8080));

    // The budget for everything, with pages, sockets and code: 16 MiB. Whatever is allocated may stay until the next collection, so it is the sum that counts.
    private const long AllocatedBytes = 8 * 1024 * 1024;

    // One item may come on top of what makes a piece leave.
    private const int PieceBytes = 128 * 1024;

    [Fact]
    public async Task Dump_HundredThousandWorkloads_AllocatesLessThanHalfOfTheBudget()
    {
        var mesh = new MeshStore("node-0");
        MeshUpdate update = CreateMesh();
        mesh.Replace(update);
        var file = new LocalMesh([.. update.Workloads], [.. update.Services], []);
        await using var certificates = new CertificateStore(new NoAuthority(), new CertificateStoreSettings(), TimeProvider.System);
        var dump = new ConfigDump(MeshSections.Create(mesh, certificates, () => file, BuildInfo.Create("unknown")));
        // Once for what is made once: names of enumerations, pools.
        await WriteAsync(new ConfigDump([new ValueSection("version", static json => json.WriteNullValue())]), Stream.Null);

        // Of this thread: nothing in here waits, and other tests run beside this one.
        long before = GC.GetAllocatedBytesForCurrentThread();
        var largest = new LargestWrite();
        await WriteAsync(dump, largest);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.InRange(largest.Bytes, 1, PieceBytes);
        Assert.True(allocated <= AllocatedBytes, $"{allocated} bytes allocated, {AllocatedBytes} allowed");
        Assert.InRange(largest.Total, 100L * Workloads, long.MaxValue);
    }

    private static async Task WriteAsync(ConfigDump dump, Stream output)
    {
        PipeWriter writer = PipeWriter.Create(output, new StreamPipeWriterOptions(leaveOpen: true));
        await dump.WriteAsync(writer, CancellationToken.None);
        await writer.CompleteAsync();
    }

    private static MeshUpdate CreateMesh()
    {
        var update = new MeshUpdate();
        for (int i = 0; i < Services; i++)
        {
            update.Services.Add(new Service
            {
                Name = $"service-{i}",
                Namespace = $"ns-{i % 100}",
                Hostname = $"service-{i}.ns-{i % 100}.svc.cluster.local",
                Vips = [new NetworkAddress("", new IPAddress([11, 0, (byte)(i >> 8), (byte)i]))],
                Ports = Ports,
            });
        }

        for (int i = 0; i < Workloads; i++)
        {
            int service = i % Services;
            update.Workloads.Add(new Workload
            {
                Uid = $"cluster//Pod/ns-{i % 100}/workload-{i}",
                Name = $"workload-{i}",
                Addresses = IpAddresses.Create(new IPAddress([10, (byte)(i >> 16), (byte)(i >> 8), (byte)i])),
                Node = $"node-{i % 1000}",
                Traits = new WorkloadTraits
                {
                    Identity = new SpiffeId("cluster.local", $"ns-{i % 100}", $"account-{i % 500}"),
                    Protocol = TunnelProtocol.Hbone,
                    CanonicalName = $"deployment-{service}",
                    CanonicalRevision = "v1",
                    WorkloadName = $"deployment-{service}",
                    WorkloadType = "deployment",
                    ClusterId = "Kubernetes",
                    Services = [new ServiceMembership(new NamespacedName($"ns-{service % 100}", $"service-{service}.ns-{service % 100}.svc.cluster.local"), Ports)],
                },
            });
        }

        return update;
    }

    /// <summary>Swallows everything and remembers how much came at once.</summary>
    private sealed class LargestWrite : Stream
    {
        public int Bytes { get; private set; }

        public long Total { get; private set; }

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => Total;

        public override long Position { get => Total; set => throw new NotSupportedException(); }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => Add(count);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Add(buffer.Length);
            return ValueTask.CompletedTask;
        }

        private void Add(int count)
        {
            Bytes = Math.Max(Bytes, count);
            Total += count;
        }
    }

    private sealed class NoAuthority : ICertificateAuthority
    {
        public Task<WorkloadCertificate> SignAsync(SpiffeId identity, CancellationToken cancellation) => throw new InvalidOperationException("nobody asks for certificates here");
    }
}
