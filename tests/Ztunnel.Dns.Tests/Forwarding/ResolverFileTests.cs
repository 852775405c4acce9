using Microsoft.Extensions.Logging;
using Ztunnel.Dns.Forwarding;
using Ztunnel.Testing.Logging;
using Ztunnel.Testing.Time;

namespace Ztunnel.Dns.Tests.Forwarding;

/// <summary>resolv.conf may come late, change, be half written and go.</summary>
public sealed class ResolverFileTests : IDisposable
{
    private readonly string _path = Path.GetTempFileName();
    private readonly ResolverSource _source = new(new ResolverConfiguration());
    private readonly RecordingLogger _log = new();

    public void Dispose() => File.Delete(_path);

    [Fact]
    public async Task Start_ReadsTheFile()
    {
        await using ResolverFile file = Write("nameserver 192.0.2.1\n");

        Assert.Equal(["192.0.2.1"], Servers());
    }

    [Fact]
    public async Task Look_FileChanged_IsTakenAtTheSecondLook()
    {
        await using ResolverFile file = Write("nameserver 192.0.2.1\n");

        await File.WriteAllTextAsync(_path, "names");
        file.Look();
        await File.WriteAllTextAsync(_path, "nameserver 192.0.2.2\nnameserver 192.0.2.3\n");
        file.Look();
        Assert.Equal(["192.0.2.1"], Servers());
        file.Look();

        Assert.Equal(["192.0.2.2", "192.0.2.3"], Servers());
        Assert.Contains(_log.Lines(LogLevel.Information), static line => line.Contains("resolvers are 192.0.2.2 192.0.2.3", StringComparison.Ordinal));
        ResolverConfiguration taken = _source.Current;
        file.Look();
        file.Look();
        Assert.Same(taken, _source.Current);
    }

    [Fact]
    public async Task Look_FileGone_LastOneStays_AndItIsSaidOnce()
    {
        await using ResolverFile file = Write("nameserver 192.0.2.1\n");

        File.Delete(_path);
        file.Look();
        file.Look();

        Assert.Equal(["192.0.2.1"], Servers());
        Assert.Single(_log.Lines(LogLevel.Warning), static line => line.Contains("what was read last stays in force", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Look_FileCameLate_IsTaken()
    {
        File.Delete(_path);
        await using ResolverFile file = Open();
        Assert.Empty(Servers());

        await File.WriteAllTextAsync(_path, "nameserver 192.0.2.9\n");
        file.Look();
        file.Look();

        Assert.Equal(["192.0.2.9"], Servers());
    }

    private string[] Servers() => [.. _source.Current.Servers.Select(static server => server.Address.ToString())];

    private ResolverFile Write(string text)
    {
        File.WriteAllText(_path, text);
        return Open();
    }

    // Its own clock does not come: the tests look.
    private ResolverFile Open()
    {
        var file = new ResolverFile(_path, _source, new ManualTimeProvider(), _log);
        file.Start();
        return file;
    }
}
