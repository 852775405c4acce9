using System.Threading.Channels;
using Ztunnel.Mesh.Identity;
using Ztunnel.Testing;
using Ztunnel.Tls.Certificates;

namespace Ztunnel.Tls.Tests.Certificates;

/// <summary>An authority whose every request the test sees and answers itself.</summary>
internal sealed class ScriptedAuthority : ICertificateAuthority
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);
    private static readonly DateTimeOffset Never = new(2040, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly Channel<Request> _requests = Channel.CreateUnbounded<Request>();

    /// <summary>Whether a request lies there that nobody has looked at.</summary>
    internal bool HasRequest => _requests.Reader.TryPeek(out _);

    public Task<WorkloadCertificate> SignAsync(SpiffeId identity, CancellationToken cancellation)
    {
        var request = new Request(identity, cancellation);
        _requests.Writer.TryWrite(request);
        return request.Answer.Task;
    }

    internal async Task<Request> NextAsync() => await _requests.Reader.ReadAsync().AsTask().WaitAsync(Timeout);

    internal sealed record Request(SpiffeId Identity, CancellationToken Cancellation)
    {
        internal TaskCompletionSource<WorkloadCertificate> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        internal WorkloadCertificate Succeed(DateTimeOffset? notAfter = null)
        {
            var options = new LeafOptions { NotBefore = new DateTimeOffset(2020, 1, 1, 0, 0, 0, TimeSpan.Zero), NotAfter = notAfter ?? Never };
            WorkloadCertificate certificate = TestMesh.LongLived.Issue(options, Identity.ToString()).ToWorkload(Identity);
            Answer.SetResult(certificate);
            return certificate;
        }

        internal void Fail(string message) => Answer.SetException(new InvalidOperationException(message));
    }
}

/// <summary>Hands what the store tells to a test that awaits it.</summary>
internal sealed class AwaitedEvents : ICertificateEvents
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly Channel<(string? Error, DateTimeOffset Next, bool StillValid)> _events = Channel.CreateUnbounded<(string?, DateTimeOffset, bool)>();

    public void Issued(WorkloadCertificate certificate, TimeSpan took, DateTimeOffset renewal) => _events.Writer.TryWrite((null, renewal, true));

    public void Failed(SpiffeId identity, string error, DateTimeOffset retry, bool stillValid) => _events.Writer.TryWrite((error, retry, stillValid));

    internal async Task<(string? Error, DateTimeOffset Next, bool StillValid)> NextAsync() => await _events.Reader.ReadAsync().AsTask().WaitAsync(Timeout);
}
