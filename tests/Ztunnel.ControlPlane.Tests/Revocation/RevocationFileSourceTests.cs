using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Ztunnel.ControlPlane.Revocation;
using Ztunnel.ControlPlane.Tests.Support;
using Ztunnel.Testing;
using Ztunnel.Testing.Logging;
using Ztunnel.Tls.Revocation;

namespace Ztunnel.ControlPlane.Tests.Revocation;

/// <summary>What becomes of each state of the file (control-path 7.9, W-16).</summary>
public sealed class RevocationFileSourceTests : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);
    private static readonly TestAuthority Authority = TestAuthority.Create();
    private static readonly IssuedCertificate Alice = Authority.Issue("spiffe://cluster.local/ns/default/sa/alice");

    private readonly TestFolder _folder = new();
    private readonly RecordingLogger _log = new();
    private readonly Revocations _revocations = new();
    private readonly SemaphoreSlim _changed = new(0);
    private readonly RevocationFileSource _source;

    public RevocationFileSourceTests()
    {
        _revocations.Changed += () => _changed.Release();
        var settings = new RevocationFileSettings { Path = _folder.File("ca-crl.pem"), PollInterval = TimeSpan.FromMilliseconds(10), MaxBytes = 100_000 };
        _source = new RevocationFileSource(settings, _revocations, TimeProvider.System, _log);
    }

    private bool IsAliceRevoked => _revocations.Current.Revokes(ImmutableArray.Create<ReadOnlyMemory<byte>>(Alice.Leaf.RawData, Alice.Root.RawData));

    [Fact]
    public void Start_FileThere_IsInForceAtOnce()
    {
        Write(Authority.RevokePem(Alice.Leaf));

        _source.Start();

        Assert.True(IsAliceRevoked);
        Assert.True(_source.IsCurrent);
        Assert.EndsWith("ca-crl.pem: 1 certificate revocation lists in force, 1 certificates revoked", Assert.Single(_log.Lines(LogLevel.Information)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_FileMissing_SaysSoAndTakesItWhenItComes()
    {
        _source.Start();
        Assert.Contains("cannot be opened: no certificate is taken for revoked until it is there; check CRL_PATH", Assert.Single(_log.Lines(LogLevel.Warning)), StringComparison.Ordinal);
        Assert.False(_source.IsCurrent);

        Write(Authority.RevokePem(Alice.Leaf));

        await NextChangeAsync();
        Assert.True(IsAliceRevoked);
    }

    [Fact]
    public async Task Start_FileUnusable_CheckingBeginsWhenItIsMended()
    {
        Write("not a list");
        _source.Start();
        Assert.Contains("neither PEM nor", Assert.Single(_log.Lines(LogLevel.Warning)), StringComparison.Ordinal);
        Assert.Equal((0L, 1L, false), (_source.Loads, _source.Failures, _source.IsCurrent));

        Write(Authority.RevokePem(Alice.Leaf));

        await NextChangeAsync();
        Assert.True(IsAliceRevoked);
    }

    [Fact]
    public async Task Changed_AnotherListIsInForce_AndAnEmptyFileRevokesNothing()
    {
        Write(Authority.RevokePem());
        _source.Start();
        await NextChangeAsync();
        Assert.False(IsAliceRevoked);

        Write(Authority.RevokePem(Alice.Leaf));
        await NextChangeAsync();
        Assert.True(IsAliceRevoked);

        Write("");
        await NextChangeAsync();
        Assert.False(IsAliceRevoked);
    }

    [Theory]
    [InlineData("unusable", "list 1: not a certificate revocation list")]
    [InlineData("too large", "bytes, and 100000 are allowed")]
    [InlineData("missing", "cannot be opened any more; what was loaded before stays in force")]
    public async Task Changed_IntoSomethingElse_WhatWasLoadedStays(string into, string warning)
    {
        Write(Authority.RevokePem(Alice.Leaf));
        _source.Start();

        if (into == "missing") File.Delete(_folder.File("ca-crl.pem"));
        else Write(into == "too large" ? new string('#', 100_001) : "0 is a sequence in DER, but not this one");

        await _log.WaitForAsync(LogLevel.Warning, warning);
        Assert.True(IsAliceRevoked);
        Assert.Equal((1L, 1L), (_source.Loads, _source.Failures));
    }

    [Fact]
    public async Task Mounted_DirectoryLinkSwapped_TakesEffect()
    {
        // As the kubelet mounts config maps: ca-crl.pem -> ..data/ca-crl.pem, and ..data is another link for each content.
        Directory.CreateDirectory(_folder.File("one"));
        Directory.CreateDirectory(_folder.File("two"));
        _folder.Write("one/ca-crl.pem", Authority.RevokePem());
        _folder.Write("two/ca-crl.pem", Authority.RevokePem(Alice.Leaf));
        File.CreateSymbolicLink(_folder.File("..data"), "one");
        File.CreateSymbolicLink(_folder.File("ca-crl.pem"), "..data/ca-crl.pem");
        _source.Start();
        await NextChangeAsync();

        File.Delete(_folder.File("..data"));
        File.CreateSymbolicLink(_folder.File("..data"), "two");

        await NextChangeAsync();
        Assert.True(IsAliceRevoked);
    }

    [Fact]
    public void Loaded_PastItsNextUpdate_SaysSoAndCounts()
    {
        DateTimeOffset longAgo = DateTimeOffset.UtcNow.AddYears(-1);
        File.WriteAllBytes(_folder.File("ca-crl.pem"), Authority.Revoke([Alice.Leaf], longAgo, longAgo.AddDays(1)));

        _source.Start();

        Assert.True(IsAliceRevoked);
        Assert.Contains("should have been replaced at", Assert.Single(_log.Lines(LogLevel.Warning)), StringComparison.Ordinal);
    }

    public async ValueTask DisposeAsync()
    {
        await _source.DisposeAsync();
        _changed.Dispose();
        _folder.Dispose();
    }

    // In one step: a look must not find the file empty, which is a content of its own.
    private void Write(string content) => File.Move(_folder.Write("next", content), _folder.File("ca-crl.pem"), overwrite: true);

    private async Task NextChangeAsync() => Assert.True(await _changed.WaitAsync(Limit), "the lists have not changed");
}
