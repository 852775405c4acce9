namespace Ztunnel.ControlPlane.Tests.Support;

/// <summary>An empty directory that goes away with the test.</summary>
internal sealed class TestFolder : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("ztunnel-control-").FullName;

    public string File(string name) => Path.Combine(Root, name);

    public string Write(string name, string content)
    {
        string path = File(name);
        System.IO.File.WriteAllText(path, content);
        return path;
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
