using System.Net;
using Microsoft.Extensions.Logging;
using Ztunnel.ControlPlane.LocalFile;
using Ztunnel.ControlPlane.Tests.Support;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;
using Ztunnel.Testing.Logging;

namespace Ztunnel.ControlPlane.Tests.LocalFile;

public sealed class LocalFileSourceTests : IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private readonly TestFolder _folder = new();
    private readonly RecordingLogger _log = new();
    private readonly MeshStore _store = new();
    private readonly SemaphoreSlim _changed = new(0);
    private LocalFileSource? _source;

    public Task InitializeAsync()
    {
        _store.Changed += _ => _changed.Release();
        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        if (_source is not null) await _source.DisposeAsync();
        _changed.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Edited_InPlace_TakesEffect()
    {
        Start(_folder.Write("mesh.yaml", Workloads("10.0.0.1", "10.0.0.2")));
        Assert.NotNull(Find("10.0.0.1"));

        _folder.Write("mesh.yaml", Workloads("10.0.0.2", "10.0.0.3"));
        await NextChangeAsync();

        Assert.Equal((false, true, true), (Find("10.0.0.1") is not null, Find("10.0.0.2") is not null, Find("10.0.0.3") is not null));
        Assert.Equal(2, _source!.Current.Workloads.Length);
    }

    [Fact]
    public async Task Replaced_ByRename_TakesEffectEvenWithTheSameSizeAndTime()
    {
        string path = _folder.Write("mesh.yaml", Workloads("10.0.0.1"));
        Start(path);

        string next = _folder.Write("next.yaml", Workloads("10.0.0.9"));
        File.SetLastWriteTimeUtc(next, File.GetLastWriteTimeUtc(path));
        File.Move(next, path, overwrite: true);
        await NextChangeAsync();

        Assert.NotNull(Find("10.0.0.9"));
    }

    [Fact]
    public async Task Replaced_BySwappingADirectoryLinkAboveIt_TakesEffect()
    {
        // As the kubelet mounts a ConfigMap: mesh.yaml -> ..data/mesh.yaml, ..data -> a directory for each content.
        Directory.CreateDirectory(_folder.File("one"));
        Directory.CreateDirectory(_folder.File("two"));
        _folder.Write("one/mesh.yaml", Workloads("10.0.0.1"));
        Directory.CreateSymbolicLink(_folder.File("..data"), "one");
        File.CreateSymbolicLink(_folder.File("mesh.yaml"), "..data/mesh.yaml");
        Start(_folder.File("mesh.yaml"));

        _folder.Write("two/mesh.yaml", Workloads("10.0.0.9"));
        Directory.CreateSymbolicLink(_folder.File("..data_tmp"), "two");
        Directory.Move(_folder.File("..data_tmp"), _folder.File("..moved"));
        File.Delete(_folder.File("..data"));
        Directory.Move(_folder.File("..moved"), _folder.File("..data"));
        await NextChangeAsync();

        Assert.NotNull(Find("10.0.0.9"));
        Assert.Null(Find("10.0.0.1"));
    }

    [Fact]
    public async Task BadEdit_ChangesNothing_AndIsSaidOnce()
    {
        Start(_folder.Write("mesh.yaml", Workloads("10.0.0.1")));

        _folder.Write("mesh.yaml", Workloads("10.0.0.1", "nonsense"));
        await _log.WaitForAsync(LogLevel.Error, "cannot be used; what was loaded before stays in force");
        Assert.NotNull(Find("10.0.0.1"));

        _folder.Write("mesh.yaml", Workloads("10.0.0.5"));
        await NextChangeAsync();

        Assert.NotNull(Find("10.0.0.5"));
        string line = Assert.Single(_log.Lines(LogLevel.Error));
        Assert.Contains("workloads[1].workloadIps[0]: expected an IP address, got 'nonsense'", line);
    }

    [Fact]
    public async Task Deleted_ChangesNothing_UntilItIsBack()
    {
        string path = _folder.Write("mesh.yaml", Workloads("10.0.0.1"));
        Start(path);

        File.Delete(path);
        await _log.WaitForAsync(LogLevel.Error, "cannot be opened any more");
        Assert.NotNull(Find("10.0.0.1"));

        _folder.Write("mesh.yaml", Workloads("10.0.0.2"));
        await NextChangeAsync();

        Assert.NotNull(Find("10.0.0.2"));
        Assert.Single(_log.Lines(LogLevel.Error));
    }

    [Fact]
    public async Task Reloaded_ResourcesOfTheControlPlane_Stay()
    {
        Start(_folder.Write("mesh.yaml", Workloads("10.0.0.1")));
        _store.Apply(new MeshUpdate { Workloads = { _source!.Current.Workloads[0] with { Uid = "from-xds", Addresses = IpAddresses.Create(IPAddress.Parse("10.9.9.9")) } } });
        await NextChangeAsync();

        _folder.Write("mesh.yaml", Workloads("10.0.0.2"));
        await NextChangeAsync();

        Assert.Equal((true, true, false), (Find("10.9.9.9") is not null, Find("10.0.0.2") is not null, Find("10.0.0.1") is not null));
    }

    [Fact]
    public void Start_MissingFile_ThrowsNamingIt()
    {
        LocalFileException error = Assert.Throws<LocalFileException>(() => Start(_folder.File("absent.yaml")));

        Assert.Contains(_folder.File("absent.yaml"), error.Message);
        Assert.Contains("cannot be read", error.Message);
    }

    [Fact]
    public void Start_FileThatIsNoText_IsRefused()
    {
        File.WriteAllBytes(_folder.File("mesh.yaml"), [0x77, 0x3a, 0x20, 0xff, 0xfe, 0xfd]);

        LocalFileException error = Assert.Throws<LocalFileException>(() => Start(_folder.File("mesh.yaml")));

        Assert.Contains("not UTF-8 text", error.Message);
    }

    [Fact]
    public void Start_InlineText_IsLoaded()
    {
        _source = new LocalFileSource(new LocalFileSettings { Text = Workloads("10.0.0.1") }, _store, TimeProvider.System, _log);

        _source.Start();

        Assert.NotNull(Find("10.0.0.1"));
        LocalFileSource bad = new(new LocalFileSettings { Text = "x" }, _store, TimeProvider.System, _log);
        Assert.StartsWith("LOCAL_XDS: line 1, column 1: ", Assert.Throws<LocalFileException>(bad.Start).Message);
    }

    private void Start(string path)
    {
        _source = new LocalFileSource(new LocalFileSettings { Path = path, PollInterval = TimeSpan.FromMilliseconds(20) }, _store, TimeProvider.System, _log);
        _source.Start();
        _changed.Wait(0);   // the first load
    }

    private Workload? Find(string ip) => _store.Current.FindWorkload("", IPAddress.Parse(ip));

    private async Task NextChangeAsync() => Assert.True(await _changed.WaitAsync(Limit), "no change within the limit");

    private static string Workloads(params string[] ips) =>
        "workloads:\n" + string.Concat(ips.Select(static ip => $"- {{uid: \"{ip}\", namespace: shop, workloadIps: [\"{ip}\"], services: {{}}}}\n"));
}
