using Ztunnel.Istiod.Identity;

namespace Ztunnel.Istiod.Program;

/// <summary>The files a proxy needs: the root of the server, and a token for each node. Each is replaced as a whole, as a mounted secret is.</summary>
internal sealed class StateFolder
{
    private readonly string _folder;

    public StateFolder(string folder)
    {
        _folder = folder;
        Directory.CreateDirectory(folder);
    }

    public void WriteRoot(string pem) => Replace("root-cert.pem", pem);

    public void WriteTokens(TokenAuthority tokens, IEnumerable<string> nodes)
    {
        foreach (string node in nodes) Replace($"token-{node}", tokens.IssueForNode(node) + "\n");
    }

    private void Replace(string name, string content)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path + ".new", content);
        File.Move(path + ".new", path, overwrite: true);
    }
}
