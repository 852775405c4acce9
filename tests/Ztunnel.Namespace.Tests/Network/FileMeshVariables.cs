namespace Ztunnel.Namespace.Tests.Network;

/// <summary>The variables of a ztunnel whose mesh is a file and whose authority is the embedded one.</summary>
internal static class FileMeshVariables
{
    /// <param name="meshFile">The mesh.</param>
    /// <param name="folder">Gets root.pem.</param>
    /// <param name="own">What this kind of proxy needs beside them.</param>
    /// <param name="more">What one test wants beside or instead.</param>
    public static Dictionary<string, string> With(string meshFile, string folder, (string Name, string Value)[] own, (string Name, string Value)[] more)
    {
        var variables = new Dictionary<string, string>
        {
            ["XDS_ADDRESS"] = "",
            ["LOCAL_XDS_PATH"] = meshFile,
            ["FAKE_CA"] = "true",
            ["ZTUNNEL_FAKE_CA_ROOT"] = Path.Combine(folder, "root.pem"),
            ["ISTIO_META_DNS_CAPTURE"] = "false",
            ["RUST_LOG"] = "info",
        };
        foreach ((string name, string value) in own.Concat(more))
            variables[name] = value;
        return variables;
    }
}
