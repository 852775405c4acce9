using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Routing;
using Ztunnel.Testing.Time;
using Ztunnel.Tls.Certificates;

namespace Ztunnel.Tls.Tests.Certificates;

public sealed class CertificateStoreTests : IAsyncDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly ScriptedAuthority _authority = new();
    private readonly AwaitedEvents _events = new();
    private readonly ManualTimeProvider _time = new();
    private readonly CertificateStore _store;

    public CertificateStoreTests() => _store = new CertificateStore(_authority, new CertificateStoreSettings { Random = new Middle() }, _time, _events);

    [Fact]
    public async Task Get_FirstTime_AsksOnceForAllWaiters()
    {
        Task<WorkloadCertificate>[] waiting = [.. Enumerable.Range(0, 5).Select(_ => GetAsync(TestMesh.Alice))];
        Assert.All(waiting, task => Assert.False(task.IsCompleted));

        ScriptedAuthority.Request request = await _authority.NextAsync();
        Assert.Equal(TestMesh.Alice, request.Identity);
        WorkloadCertificate issued = request.Succeed();

        foreach (Task<WorkloadCertificate> task in waiting) Assert.Same(issued, await task.WaitAsync(Timeout));
        Assert.Same(issued, _store.TryGet(TestMesh.Alice));
        Assert.Same(issued, await GetAsync(TestMesh.Alice));
        Assert.False(_authority.HasRequest);
        Assert.Equal(CertificateState.Available, Assert.Single(_store.Snapshot()).State);
    }

    [Fact]
    public async Task Get_EightInFlight_OthersWaitAndTheUrgentGoFirst()
    {
        var running = new List<ScriptedAuthority.Request>();
        for (int i = 0; i < 8; i++)
        {
            _store.Prefetch(Account(i));
            running.Add(await _authority.NextAsync());
        }

        _store.Prefetch(Account(100));
        _ = GetAsync(Account(102), CertificatePriority.Warmup);
        _ = GetAsync(Account(101));
        _ = GetAsync(Account(102));
        Assert.False(_authority.HasRequest);

        List<SpiffeId> order = [];
        foreach (ScriptedAuthority.Request request in running.Take(3).ToArray())
        {
            request.Succeed();
            running.Add(await _authority.NextAsync());
            order.Add(running[^1].Identity);
        }

        Assert.Equal([Account(101), Account(102), Account(100)], order);
    }

    [Fact]
    public async Task Get_AfterAFailure_FailsAtOnceWhileRetriesBackOff()
    {
        Task<WorkloadCertificate> first = GetAsync(TestMesh.Alice);
        (await _authority.NextAsync()).Fail("no such pod");

        Assert.Equal("no such pod", await ErrorAsync(first));
        Assert.Equal(("no such pod", _time.GetUtcNow() + TimeSpan.FromSeconds(1), false), await _events.NextAsync());
        Assert.Equal("no such pod", await ErrorAsync(GetAsync(TestMesh.Alice)));
        Assert.False(_authority.HasRequest);
        Assert.Equal(CertificateState.Unavailable, Assert.Single(_store.Snapshot()).State);

        foreach (int seconds in new[] { 1, 2, 4, 8, 16, 32, 64, 128, 150, 150 })
        {
            _time.Advance(TimeSpan.FromSeconds(seconds) - TimeSpan.FromMilliseconds(1));
            Assert.False(_authority.HasRequest);
            _time.Advance(TimeSpan.FromMilliseconds(1));
            (await _authority.NextAsync()).Fail("again");
            await _events.NextAsync();
        }

        _time.Advance(TimeSpan.FromSeconds(150));
        WorkloadCertificate issued = (await _authority.NextAsync()).Succeed();
        await _events.NextAsync();
        Assert.Same(issued, _store.TryGet(TestMesh.Alice));
    }

    [Fact]
    public async Task Available_AtHalfItsLife_IsRenewedWhileTheOldOneServes()
    {
        WorkloadCertificate old = await IssueAsync(TestMesh.Alice, TimeSpan.FromHours(24));
        _time.Advance(TimeSpan.FromHours(12) - TimeSpan.FromSeconds(1));
        Assert.False(_authority.HasRequest);

        _time.Advance(TimeSpan.FromSeconds(1));

        ScriptedAuthority.Request renewal = await _authority.NextAsync();
        Assert.Same(old, await GetAsync(TestMesh.Alice));
        WorkloadCertificate renewed = renewal.Succeed();
        await _events.NextAsync();
        Assert.Same(renewed, await GetAsync(TestMesh.Alice));
    }

    [Fact]
    public async Task Renewal_ThatSucceeds_SupersedesTheOldOneForItsTunnels()
    {
        WorkloadCertificate old = await IssueAsync(TestMesh.Alice, TimeSpan.FromHours(24));
        WorkloadCertificate other = await IssueAsync(TestMesh.Bob, TimeSpan.FromDays(100));
        _time.Advance(TimeSpan.FromHours(12));
        (await _authority.NextAsync()).Fail("authority down");
        await _events.NextAsync();
        Assert.False(old.IsSuperseded);

        _time.Advance(TimeSpan.FromSeconds(1));
        WorkloadCertificate renewed = (await _authority.NextAsync()).Succeed();
        await _events.NextAsync();

        Assert.Equal((true, false, false), (old.IsSuperseded, renewed.IsSuperseded, other.IsSuperseded));
    }

    [Fact]
    public async Task Renewal_ThatKeepsFailing_TheOldOneServesUntilItExpires()
    {
        WorkloadCertificate old = await IssueAsync(TestMesh.Alice, TimeSpan.FromMinutes(2));
        for (int failures = 0; ; failures++)
        {
            DateTimeOffset next = Assert.Single(_store.Snapshot()).NextRequest!.Value;
            Assert.True(next <= old.NotAfter, $"the next request is at {next}");
            _time.Advance(next - _time.GetUtcNow());
            bool valid = next < old.NotAfter;
            ScriptedAuthority.Request request = await _authority.NextAsync();
            Assert.Equal(valid ? old : null, _store.TryGet(TestMesh.Alice));
            request.Fail("authority down");
            Assert.Equal(valid, (await _events.NextAsync()).StillValid);
            if (!valid) break;
            Assert.True(failures < 20, "the certificate does not expire");
        }

        Assert.Equal("authority down", await ErrorAsync(GetAsync(TestMesh.Alice)));
    }

    [Fact]
    public async Task Get_ExpiredWhileItsRenewalHangs_WaitsInsteadOfHandingItOut()
    {
        await IssueAsync(TestMesh.Alice, TimeSpan.FromSeconds(10));
        _time.Advance(TimeSpan.FromSeconds(5));
        ScriptedAuthority.Request hanging = await _authority.NextAsync();
        _time.Advance(TimeSpan.FromSeconds(5));

        Assert.Null(_store.TryGet(TestMesh.Alice));
        Task<WorkloadCertificate> waiting = GetAsync(TestMesh.Alice);
        Assert.False(waiting.IsCompleted);

        Assert.Same(hanging.Succeed(), await waiting.WaitAsync(Timeout));
    }

    /// <summary>What was issued in a future that has been taken back is not valid yet for any peer.</summary>
    [Fact]
    public async Task Get_ClockSetBackBehindTheIssue_IsFetchedAnew()
    {
        WorkloadCertificate old = await IssueAsync(TestMesh.Alice, TimeSpan.FromHours(24));
        _time.Advance(TimeSpan.FromSeconds(-30));
        Assert.Same(old, _store.TryGet(TestMesh.Alice));

        _time.Advance(TimeSpan.FromHours(-2));

        Assert.Null(_store.TryGet(TestMesh.Alice));
        Task<WorkloadCertificate> waiting = GetAsync(TestMesh.Alice);
        WorkloadCertificate renewed = (await _authority.NextAsync()).Succeed();
        Assert.Same(renewed, await waiting.WaitAsync(Timeout));
        Assert.Same(renewed, _store.TryGet(TestMesh.Alice));
    }

    [Fact]
    public async Task Request_ThatHangs_EndsAfterItsTimeLimit()
    {
        Task<WorkloadCertificate> waiting = GetAsync(TestMesh.Alice);
        ScriptedAuthority.Request hanging = await _authority.NextAsync();

        _time.Advance(TimeSpan.FromSeconds(10));

        Assert.Equal($"certificate request for {TestMesh.Alice} timed out after 10s", await ErrorAsync(waiting));
        Assert.True(hanging.Cancellation.IsCancellationRequested);
        await _events.NextAsync();
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(TestMesh.Alice, (await _authority.NextAsync()).Identity);
        // What comes too late is not used.
        hanging.Succeed();
        Assert.Null(_store.TryGet(TestMesh.Alice));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(30, 15)]
    [InlineData(120, 60)]
    public async Task Renewal_OfShortLives_DoesNotHammerTheAuthority(int lifetimeSeconds, int renewalSeconds)
    {
        await IssueAsync(TestMesh.Alice, TimeSpan.FromSeconds(lifetimeSeconds));

        DateTimeOffset next = Assert.Single(_store.Snapshot()).NextRequest!.Value;

        Assert.Equal(renewalSeconds, (next - _time.GetUtcNow()).TotalSeconds, precision: 3);
        Assert.False(_authority.HasRequest);
    }

    [Fact]
    public async Task Answer_AlreadyExpired_IsAFailure()
    {
        Task<WorkloadCertificate> waiting = GetAsync(TestMesh.Alice);
        (await _authority.NextAsync()).Succeed(_time.GetUtcNow());

        Assert.Contains("has expired", await ErrorAsync(waiting), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Forget_WithWaiters_TellsThemAndDropsTheResult()
    {
        Task<WorkloadCertificate> waiting = GetAsync(TestMesh.Alice);
        ScriptedAuthority.Request request = await _authority.NextAsync();

        _store.Forget(TestMesh.Alice);

        Assert.Equal("the identity is no longer needed", await ErrorAsync(waiting));
        request.Succeed();
        await _events.NextAsync();
        Assert.Null(_store.TryGet(TestMesh.Alice));
        _time.Advance(TimeSpan.FromDays(1));
        Assert.Empty(_store.Snapshot());
        Assert.False(_authority.HasRequest);
    }

    [Fact]
    public async Task Forget_ThenWantedAgainWhileInFlight_UsesTheResult()
    {
        _store.Prefetch(TestMesh.Alice);
        ScriptedAuthority.Request request = await _authority.NextAsync();
        _store.Forget(TestMesh.Alice);
        Task<WorkloadCertificate> again = GetAsync(TestMesh.Alice);

        Assert.Same(request.Succeed(), await again.WaitAsync(Timeout));
        Assert.False(_authority.HasRequest);
    }

    [Fact]
    public async Task Forget_Queued_IsNeverAskedFor()
    {
        var running = new List<ScriptedAuthority.Request>();
        for (int i = 0; i < 8; i++)
        {
            _store.Prefetch(Account(i));
            running.Add(await _authority.NextAsync());
        }

        _store.Prefetch(TestMesh.Alice);
        _store.Prefetch(TestMesh.Bob);
        _store.Forget(TestMesh.Alice);
        running[0].Succeed();

        Assert.Equal(TestMesh.Bob, (await _authority.NextAsync()).Identity);
    }

    [Fact]
    public async Task Forget_Available_IsKeptForAMinuteWithoutRenewal()
    {
        WorkloadCertificate issued = await IssueAsync(TestMesh.Alice, TimeSpan.FromSeconds(100));
        _store.Forget(TestMesh.Alice);
        Assert.Null(_store.TryGet(TestMesh.Alice));
        _time.Advance(TimeSpan.FromSeconds(55));
        Assert.False(_authority.HasRequest);

        Assert.Same(issued, await GetAsync(TestMesh.Alice));

        _store.Forget(TestMesh.Alice);
        _time.Advance(TimeSpan.FromSeconds(60));
        Assert.Empty(_store.Snapshot());
        _ = GetAsync(TestMesh.Alice);
        Assert.Equal(TestMesh.Alice, (await _authority.NextAsync()).Identity);
    }

    [Fact]
    public async Task Get_MoreIdentitiesThanAllowed_IsRefused()
    {
        await using var small = new CertificateStore(_authority, new CertificateStoreSettings { MaxIdentities = 1 }, _time);
        _ = small.GetAsync(TestMesh.Alice, CertificatePriority.RealTime, CancellationToken.None).AsTask();
        ScriptedAuthority.Request request = await _authority.NextAsync();

        Assert.Equal("more than 1 identities are in use", await ErrorAsync(small.GetAsync(TestMesh.Bob, CertificatePriority.RealTime, CancellationToken.None).AsTask()));
        Assert.Equal(0, small.PrefetchDrops);
        small.Prefetch(TestMesh.Bob);
        Assert.Equal(1, small.PrefetchDrops);

        request.Fail("done");
    }

    [Fact]
    public async Task Get_Cancelled_LeavesTheRequestToOthers()
    {
        using var cancellation = new CancellationTokenSource();
        Task<WorkloadCertificate> mine = _store.GetAsync(TestMesh.Alice, CertificatePriority.RealTime, cancellation.Token).AsTask();
        Task<WorkloadCertificate> other = GetAsync(TestMesh.Alice);
        ScriptedAuthority.Request request = await _authority.NextAsync();

        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => mine.WaitAsync(Timeout));
        Assert.Same(request.Succeed(), await other.WaitAsync(Timeout));
    }

    [Fact]
    public async Task Dispose_LetsWhatIsInFlightEnd()
    {
        Task<WorkloadCertificate> running = GetAsync(TestMesh.Alice);
        ScriptedAuthority.Request request = await _authority.NextAsync();

        Task stopping = _store.DisposeAsync().AsTask();
        Assert.False(stopping.IsCompleted);
        Assert.Equal("the certificate store is stopping", await ErrorAsync(GetAsync(TestMesh.Bob)));
        WorkloadCertificate issued = request.Succeed();

        await stopping.WaitAsync(Timeout);
        Assert.Same(issued, await running.WaitAsync(Timeout));
    }

    public async ValueTask DisposeAsync()
    {
        Task stopping = _store.DisposeAsync().AsTask();
        // Requests that a test left unanswered end by their time limit.
        _time.Advance(TimeSpan.FromMinutes(1));
        await stopping.WaitAsync(Timeout);
    }

    private static SpiffeId Account(int number) => SpiffeId.Parse($"spiffe://cluster.local/ns/default/sa/account-{number}");

    private static async Task<string> ErrorAsync(Task<WorkloadCertificate> waiting) =>
        (await Assert.ThrowsAsync<CertificateUnavailableException>(() => waiting.WaitAsync(Timeout))).Message;

    private Task<WorkloadCertificate> GetAsync(SpiffeId identity, CertificatePriority priority = CertificatePriority.RealTime) =>
        _store.GetAsync(identity, priority, CancellationToken.None).AsTask();

    private async Task<WorkloadCertificate> IssueAsync(SpiffeId identity, TimeSpan lifetime)
    {
        Task<WorkloadCertificate> waiting = GetAsync(identity);
        (await _authority.NextAsync()).Succeed(_time.GetUtcNow() + lifetime);
        await _events.NextAsync();
        return await waiting.WaitAsync(Timeout);
    }

    /// <summary>No jitter: always the middle of the range.</summary>
    private sealed class Middle : IRandom
    {
        public ulong Next(ulong bound) => bound / 2;
    }
}
